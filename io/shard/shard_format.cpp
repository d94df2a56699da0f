#include "eflow/io/shard/shard_format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <string_view>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace {

static_assert(std::endian::native == std::endian::little, "file formats are little-endian");

constexpr std::string_view kMagic = "EFLOWSHD";
constexpr std::uint32_t kVersion = 1, kVersionWithRecords = 2;
constexpr std::uint32_t kByteOrder = 0x01020304;
constexpr std::size_t kEntryBytes = 24, kChecksumBytes = 16;
constexpr std::size_t kRecordsBytes = 128;  ///< what version 2 adds to the header
constexpr std::uint64_t kMaxStrings = 1ull << 28;

/// Field offsets in the header.
enum At : std::size_t {
  kAtMagic = 0,
  kAtVersion = 8,
  kAtByteOrder = 12,
  kAtUserBlock = 16,
  kAtFileBytes = 24,
  kAtDType = 32,
  kAtCount = 36,
  kAtShape = 40,
  kAtRawBytes = 56,
  kAtSpecKey = 64,
  kAtLabelsOffset = 80,
  kAtLabelsHash = 88,
  kAtStructureHash = 96,
  // Version 2:
  kAtTextDType = 128,
  kAtTextWidth = 132,
  kAtTextRows = 136,
  kAtCaptions = 144,  ///< offset, bytes, hash
  kAtSources = 168,
  kAtStrings = 192,
};

template <class T>
void put(std::span<std::byte> to, std::size_t at, T value) {
  std::memcpy(to.data() + at, &value, sizeof value);
}

template <class T>
T get(std::span<const std::byte> from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof value);
  return value;
}

/// Throws CorruptData for a field of the index.
constexpr const char* kRemedy = "; the shard is damaged, pack the data set again";

[[noreturn]] void refuse(const std::filesystem::path& path, const char* field, std::size_t at,
                         const std::string& found, const std::string& expected) {
  throw CorruptData(str("[shard] ", path.string(), ", byte ", at, ": ", field, " is ", found,
                        ", expected ", expected, kRemedy));
}

Shape read_shape(std::span<const std::byte> block, const std::filesystem::path& path) {
  Shape shape;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t at = kAtShape + 4 * i;
    const auto size = get<std::uint32_t>(block, at);
    if (size < 1 || size > 1u << 20) refuse(path, "clip size", at, str(size), "1 to 2^20");
    shape.push_back(size);
  }
  return shape;
}

std::uint64_t read_raw_bytes(std::span<const std::byte> block, const ShardIndex& index,
                             const std::filesystem::path& path) {
  const auto raw = get<std::uint64_t>(block, kAtRawBytes);
  std::uint64_t expected = size_of(index.dtype);
  for (const std::int64_t d : index.shape) {
    expected = std::min(expected * static_cast<std::uint64_t>(d), kMaxClipBytes + 1);
  }
  if (expected > kMaxClipBytes)
    refuse(path, "size of a clip", kAtShape, "over 1 GiB", "at most 1 GiB");
  if (raw != expected) refuse(path, "bytes of a clip", kAtRawBytes, str(raw), str(expected));
  return raw;
}

std::size_t header_bytes(bool records) {
  return kHeaderBytes + (records ? kRecordsBytes : 0);
}

SampleEntry read_entry(std::span<const std::byte> block, std::size_t i, const ShardIndex& index,
                       std::uint64_t raw, const std::filesystem::path& path) {
  const std::size_t at = header_bytes(index.records.has_value()) + kEntryBytes * i;
  const SampleEntry entry{get<std::uint64_t>(block, at), get<std::uint32_t>(block, at + 8),
                          get<std::uint32_t>(block, at + 12), get<std::uint64_t>(block, at + 16)};
  if (entry.raw != raw)
    refuse(path, "decoded bytes of a sample", at + 12, str(entry.raw), str(raw));
  if (entry.stored < 1 || entry.stored > zstd_bound(raw)) {
    refuse(path, "stored bytes of a sample", at + 8, str(entry.stored),
           str("1 to ", zstd_bound(raw)));
  }
  if (entry.offset < index.user_block || entry.offset > index.file_bytes ||
      entry.stored > index.file_bytes - entry.offset) {
    refuse(path, "byte range of a sample", at, str(entry.offset, " + ", entry.stored),
           str("inside [", index.user_block, ", ", index.file_bytes, ")"));
  }
  return entry;
}

/// Reads the range of a table and checks that it is in the file and has rows of `row` bytes, at most
/// `most` bytes in all.
TableRange read_range(std::span<const std::byte> block, std::size_t at, std::uint64_t row,
                      std::uint64_t most, const ShardIndex& index,
                      const std::filesystem::path& path) {
  const TableRange range{get<std::uint64_t>(block, at), get<std::uint64_t>(block, at + 8),
                         get<std::uint64_t>(block, at + 16)};
  const bool inside = range.offset >= index.user_block && range.offset <= index.file_bytes &&
                      range.bytes <= index.file_bytes - range.offset;
  if (range.bytes > 0 && !inside)
    refuse(path, "range of a table", at, str(range.offset, " + ", range.bytes), "inside the file");
  if (range.bytes % row != 0 || range.bytes > most)
    refuse(path, "bytes of a table", at + 8, str(range.bytes),
           str("rows of ", row, ", at most ", most));
  return range;
}

RecordsIndex read_records(std::span<const std::byte> block, std::size_t clips,
                          const ShardIndex& index, const std::filesystem::path& path) {
  RecordsIndex records;
  const auto dtype = get<std::uint32_t>(block, kAtTextDType);
  if (dtype != static_cast<std::uint32_t>(DType::kBF16) &&
      dtype != static_cast<std::uint32_t>(DType::kF32))
    refuse(path, "dtype of the captions", kAtTextDType, str(dtype), "the code of bf16 or f32");
  records.dtype = static_cast<DType>(dtype);
  records.width = get<std::uint32_t>(block, kAtTextWidth);
  records.rows = get<std::uint32_t>(block, kAtTextRows);
  if (records.width > kMaxTextWidth || records.rows > kMaxCaptionRows ||
      records.frame_elements() * size_of(records.dtype) > kMaxClipBytes ||
      (records.width == 0) != (records.rows == 0)) {
    refuse(path, "size of an embedding", kAtTextWidth, str(records.rows, " x ", records.width),
           "at most 65536 x 1048576 and 1 GiB, or 0 x 0");
  }
  const std::uint64_t most =
      records.width == 0 ? 0 : clips * kMaxCaptionsPerClip * sizeof(CaptionEntry);
  records.captions = read_range(block, kAtCaptions, sizeof(CaptionEntry), most, index, path);
  if (records.width > 0 && records.captions.bytes < clips * sizeof(CaptionEntry))
    refuse(path, "bytes of the captions", kAtCaptions + 8, str(records.captions.bytes),
           "at least one caption per clip");
  const std::uint64_t sources = clips * sizeof(SourceEntry);
  records.sources = read_range(block, kAtSources, sizeof(SourceEntry), sources, index, path);
  if (records.sources.bytes != 0 && records.sources.bytes != sources)
    refuse(path, "bytes of the sources", kAtSources + 8, str(records.sources.bytes), str(sources));
  records.strings = read_range(block, kAtStrings, 1, kMaxStrings, index, path);
  return records;
}

void put_range(std::span<std::byte> to, std::size_t at, const TableRange& range) {
  put(to, at, range.offset);
  put(to, at + 8, range.bytes);
  put(to, at + 16, range.hash);
}

}  // namespace

std::uint64_t user_block_for(std::size_t clips, bool records) {
  return std::max<std::uint64_t>(
      512, std::bit_ceil(header_bytes(records) + kEntryBytes * clips + kChecksumBytes));
}

std::vector<std::byte> encode_index(ShardIndex& index) {
  const bool records = index.records.has_value();
  EFLOW_ASSERT(index.user_block >= user_block_for(index.samples.size(), records));
  EFLOW_ASSERT(index.shape.rank() == 4);
  std::vector<std::byte> block(index.user_block);
  const std::span<std::byte> out(block);
  std::memcpy(out.data(), kMagic.data(), kMagic.size());
  put(out, kAtVersion, records ? kVersionWithRecords : kVersion);
  put(out, kAtByteOrder, kByteOrder);
  put(out, kAtUserBlock, index.user_block);
  put(out, kAtFileBytes, index.file_bytes);
  put(out, kAtDType, static_cast<std::uint32_t>(index.dtype));
  put(out, kAtCount, static_cast<std::uint32_t>(index.samples.size()));
  for (int i = 0; i < 4; ++i) {
    put(out, kAtShape + 4 * static_cast<std::size_t>(i),
        static_cast<std::uint32_t>(index.shape[i]));
  }
  put(out, kAtRawBytes,
      static_cast<std::uint64_t>(element_count(index.shape)) * size_of(index.dtype));
  put(out, kAtSpecKey, index.spec_key.high);
  put(out, kAtSpecKey + 8, index.spec_key.low);
  put(out, kAtLabelsOffset, index.labels_offset);
  put(out, kAtLabelsHash, index.labels_hash);
  put(out, kAtStructureHash, index.structure_hash);
  if (records) {
    put(out, kAtTextDType, static_cast<std::uint32_t>(index.records->dtype));
    put(out, kAtTextWidth, static_cast<std::uint32_t>(index.records->width));
    put(out, kAtTextRows, static_cast<std::uint32_t>(index.records->rows));
    put_range(out, kAtCaptions, index.records->captions);
    put_range(out, kAtSources, index.records->sources);
    put_range(out, kAtStrings, index.records->strings);
  }
  for (std::size_t i = 0; i < index.samples.size(); ++i) {
    const std::size_t at = header_bytes(records) + kEntryBytes * i;
    put(out, at, index.samples[i].offset);
    put(out, at + 8, index.samples[i].stored);
    put(out, at + 12, index.samples[i].raw);
    put(out, at + 16, index.samples[i].hash);
  }
  index.checksum = hash128(out.first(out.size() - kChecksumBytes));
  put(out, out.size() - 16, index.checksum.high);
  put(out, out.size() - 8, index.checksum.low);
  return block;
}

std::uint64_t user_block_of(std::span<const std::byte> header, const std::filesystem::path& path) {
  EFLOW_ASSERT(header.size() >= kHeaderBytes);
  if (std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
    refuse(path, "magic", kAtMagic, "unknown",
           str(kMagic, "; the file is not a shard, or its first bytes are damaged"));
  }
  const auto version = get<std::uint32_t>(header, kAtVersion);
  if (version != kVersion && version != kVersionWithRecords)
    refuse(path, "version", kAtVersion, str(version), "1 or 2 (a newer eflow writes others)");
  const auto order = get<std::uint32_t>(header, kAtByteOrder);
  if (order != kByteOrder) refuse(path, "byte order", kAtByteOrder, str(order), "little-endian");
  const auto size = get<std::uint64_t>(header, kAtUserBlock);
  if (size < 512 || size > kMaxUserBlock || !std::has_single_bit(size)) {
    refuse(path, "user block size", kAtUserBlock, str(size), "a power of two, 512 to 131072");
  }
  return size;
}

std::optional<Hash128> key_in_header(std::span<const std::byte> start) {
  if (start.size() < kHeaderBytes) return std::nullopt;
  if (std::memcmp(start.data(), kMagic.data(), kMagic.size()) != 0) return std::nullopt;
  return Hash128{get<std::uint64_t>(start, kAtSpecKey), get<std::uint64_t>(start, kAtSpecKey + 8)};
}

bool is_start_of_header(std::span<const std::byte> start, Hash128 key) {
  if (std::memcmp(start.data(), kMagic.data(), std::min(start.size(), kMagic.size())) != 0)
    return false;
  if (start.size() < kHeaderBytes) return true;  // too short to hold anything of value
  return key_in_header(start) == key;
}

ShardIndex decode_index(std::span<const std::byte> block, std::uint64_t actual_file_bytes,
                        const std::filesystem::path& path) {
  ShardIndex index;
  index.user_block = user_block_of(block, path);
  EFLOW_ASSERT(block.size() == index.user_block);
  index.checksum = {get<std::uint64_t>(block, block.size() - 16),
                    get<std::uint64_t>(block, block.size() - 8)};
  const Hash128 found = hash128(block.first(block.size() - kChecksumBytes));
  if (found != index.checksum) {
    refuse(path, "index checksum", block.size() - kChecksumBytes, to_hex(found),
           str(to_hex(index.checksum), " for bytes 0 to ", block.size()));
  }
  index.file_bytes = get<std::uint64_t>(block, kAtFileBytes);
  if (index.file_bytes != actual_file_bytes) {
    throw CorruptData(str("[shard] ", path.string(), " has ", actual_file_bytes,
                          " bytes but was written with ", index.file_bytes,
                          actual_file_bytes < index.file_bytes ? ": it is cut short" : "",
                          kRemedy));
  }
  const auto dtype = get<std::uint32_t>(block, kAtDType);
  if (dtype != static_cast<std::uint32_t>(DType::kU8) &&
      dtype != static_cast<std::uint32_t>(DType::kBF16) &&
      dtype != static_cast<std::uint32_t>(DType::kF32)) {
    refuse(path, "dtype", kAtDType, str(dtype), "the code of u8, bf16 or f32");
  }
  index.dtype = static_cast<DType>(dtype);
  index.shape = read_shape(block, path);
  const std::uint64_t raw = read_raw_bytes(block, index, path);
  const auto count = get<std::uint32_t>(block, kAtCount);
  const bool records = get<std::uint32_t>(block, kAtVersion) == kVersionWithRecords;
  if (count < 1 || count > kMaxShardClips || user_block_for(count, records) > index.user_block) {
    refuse(path, "number of clips", kAtCount, str(count), "1 to 4096 that fit the user block");
  }
  if (records) index.records = read_records(block, count, index, path);
  index.spec_key = {get<std::uint64_t>(block, kAtSpecKey),
                    get<std::uint64_t>(block, kAtSpecKey + 8)};
  index.labels_offset = get<std::uint64_t>(block, kAtLabelsOffset);
  index.labels_hash = get<std::uint64_t>(block, kAtLabelsHash);
  index.structure_hash = get<std::uint64_t>(block, kAtStructureHash);
  for (std::size_t i = 0; i < count; ++i) {
    index.samples.push_back(read_entry(block, i, index, raw, path));
  }
  if (index.labels_offset < index.user_block || index.labels_offset > index.file_bytes ||
      index.labels_bytes() > index.file_bytes - index.labels_offset) {
    refuse(path, "labels offset", kAtLabelsOffset, str(index.labels_offset), "inside the file");
  }
  return index;
}

std::vector<ByteRange> gaps_between(std::vector<ByteRange> taken, std::uint64_t begin,
                                    std::uint64_t end, const std::filesystem::path& path) {
  std::sort(taken.begin(), taken.end(),
            [](const ByteRange& a, const ByteRange& b) { return a.offset < b.offset; });
  std::vector<ByteRange> gaps;
  for (const ByteRange& range : taken) {
    if (range.offset < begin || range.offset > end || range.bytes > end - range.offset) {
      throw CorruptData(str("[index] ", path.string(), ": bytes ", range.offset, " + ", range.bytes,
                            " overlap another range or end outside the file"));
    }
    if (range.offset > begin) gaps.push_back({begin, range.offset - begin});
    begin = range.offset + range.bytes;
  }
  if (begin < end) gaps.push_back({begin, end - begin});
  return gaps;
}

std::vector<CaptionEntry> decode_captions(std::span<const std::byte> table, const ShardIndex& index,
                                          const std::filesystem::path& path) {
  const RecordsIndex& records = *index.records;
  EFLOW_ASSERT(table.size() == records.captions.bytes);
  std::vector<CaptionEntry> entries(table.size() / sizeof(CaptionEntry));
  if (!entries.empty()) std::memcpy(entries.data(), table.data(), table.size());
  const std::uint64_t frame = zstd_bound(records.frame_elements() * size_of(records.dtype));
  const auto file = static_cast<std::int64_t>(index.file_bytes);
  const auto strings = static_cast<std::int64_t>(records.strings.bytes);
  std::int64_t clip = 0;  // the clip that the next caption may belong to, or the one after it
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const CaptionEntry& e = entries[i];
    const bool in_order = i == 0 ? e.clip == 0 : e.clip == clip || e.clip == clip + 1;
    clip = e.clip;
    const bool text = e.text_offset >= 0 && e.text_bytes >= 0 && e.text_offset <= strings &&
                      e.text_bytes <= strings - e.text_offset;
    const bool stored = e.frame_bytes >= 1 && static_cast<std::uint64_t>(e.frame_bytes) <= frame &&
                        e.frame_offset >= static_cast<std::int64_t>(index.user_block) &&
                        e.frame_offset <= file && e.frame_bytes <= file - e.frame_offset;
    if (!in_order || !text || !stored || e.rows < 1 || e.rows > records.rows || e.embedding < 0) {
      refuse(path, "a caption", records.captions.offset + i * sizeof(CaptionEntry),
             str("number ", i, ", of clip ", e.clip, " with ", e.rows, " rows"),
             "captions in the order of the clips, with text and embedding inside the file");
    }
  }
  if (!entries.empty() && clip + 1 != static_cast<std::int64_t>(index.samples.size()))
    refuse(path, "the last captioned clip", records.captions.offset, str(clip),
           str(index.samples.size() - 1));
  return entries;
}

std::vector<ByteRange> taken_ranges(const ShardIndex& index) {
  std::vector<ByteRange> out{{index.labels_offset, index.labels_bytes()}};
  for (const SampleEntry& s : index.samples) out.push_back({s.offset, s.stored});
  if (!index.records) return out;
  const RecordsIndex& records = *index.records;
  for (const TableRange* table : {&records.captions, &records.sources, &records.strings})
    if (table->bytes > 0) out.push_back({table->offset, table->bytes});
  std::map<std::int64_t, std::int64_t> frames;  // shared frames count once
  for (const CaptionEntry& e : records.entries) frames[e.frame_offset] = e.frame_bytes;
  for (const auto& [offset, bytes] : frames)
    out.push_back({static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(bytes)});
  return out;
}

std::uint64_t hash_of_gaps(std::span<const ByteRange> gaps,
                           const std::function<std::vector<std::byte>(const ByteRange&)>& read) {
  std::vector<std::uint64_t> hashes;
  for (const ByteRange& gap : gaps) hashes.push_back(hash64(read(gap)));
  return hash64(std::as_bytes(std::span(hashes)));
}

}  // namespace eflow::io
