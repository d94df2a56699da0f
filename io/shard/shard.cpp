#include "eflow/io/shard/shard.hpp"

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/io/shard/byte_shuffle.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace {

std::uint64_t file_size(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  if (!S_ISREG(info.st_mode)) {
    throw IoError(str("[shard] ", path.string(), " is not a regular file"));
  }
  return static_cast<std::uint64_t>(info.st_size);
}

ShardIndex read_index(const FileDescriptor& file, const std::filesystem::path& path) {
  const std::uint64_t size = file_size(file, path);
  const auto require_bytes = [&](std::uint64_t least) {
    if (size >= least) return;
    throw CorruptData(str("[shard] ", path.string(), " has ", size, " bytes, expected at least ",
                          least, ": it is cut short, pack the data set again"));
  };
  require_bytes(kHeaderBytes);
  std::vector<std::byte> block(kHeaderBytes);
  read_at(file, path, 0, block);
  block.resize(user_block_of(block, path));
  require_bytes(block.size());
  read_at(file, path, 0, block);
  return decode_index(block, size, path);
}

/// Per-thread buffers, reused between calls.
struct Scratch {
  std::vector<std::byte> stored, shuffled, whole;
};
Scratch& scratch() {
  thread_local Scratch buffers;
  return buffers;
}

FileDescriptor open_shard(const std::filesystem::path& path) {
  std::error_code code;
  if (std::filesystem::status(path, code).type() == std::filesystem::file_type::not_found) {
    throw IoError(
        str("[shard] ", path.string(), " is missing; copy it there, or pack the data set again"));
  }
  return open_read(path);
}

void check_hash(std::span<const std::byte> stored, std::uint64_t expected,
                const std::string& where) {
  const std::uint64_t found = hash64(stored);
  if (found == expected) return;
  throw CorruptData(str(where, "hash is ", to_hex(found), ", expected ", to_hex(expected),
                        "; it is damaged, pack the data set again"));
}

std::atomic<std::uint64_t>& kept_descriptors() {
  static std::atomic<std::uint64_t> count{0};
  return count;
}

}  // namespace

DescriptorShare DescriptorShare::take() {
  constexpr rlim_t kLeast = 64;  // what the rest of a process needs
  rlimit limit{};
  DescriptorShare share;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kLeast) return share;
  share.held_ = kept_descriptors().fetch_add(1) < limit.rlim_cur / 2;
  if (!share.held_) kept_descriptors().fetch_sub(1);
  return share;
}

DescriptorShare::~DescriptorShare() {
  if (held_) kept_descriptors().fetch_sub(1);
}

Shard::Shard(std::filesystem::path path, std::int64_t first)
    : path_(std::move(path)), first_(first), file_(open_shard(path_)) {
  index_ = read_index(file_, path_);
  labels_.resize(index_.samples.size());
  const auto bytes = std::as_writable_bytes(std::span(labels_));
  read_at(file_, path_, index_.labels_offset, bytes);
  if (const std::uint64_t found = hash64(bytes); found != index_.labels_hash) {
    throw CorruptData(str("[shard] ", path_.string(), ", labels, bytes ", index_.labels_offset,
                          " + ", bytes.size(), ": hash is ", to_hex(found), ", expected ",
                          to_hex(index_.labels_hash), "; it is damaged, pack the data set again"));
  }
  if (index_.records && index_.records->captions.bytes > 0) read_captions();
  share_ = DescriptorShare::take();
  if (!share_.held()) file_ = {};
}

/// Reads the table of captions and notes where each clip's begin.
void Shard::read_captions() {
  RecordsIndex& records = *index_.records;
  records.entries = decode_captions(read_table(records.captions, "captions"), index_, path_);
  std::int64_t clip = -1;
  for (std::size_t k = 0; k < records.entries.size(); ++k) {
    if (records.entries[k].clip == clip) continue;
    first_caption_.push_back(k);
    clip = records.entries[k].clip;
  }
  first_caption_.push_back(records.entries.size());
}

std::vector<std::byte> Shard::read_table(const TableRange& range, const char* what) const {
  std::vector<std::byte> bytes(range.bytes);
  read_stored(range.offset, bytes);
  if (const std::uint64_t found = hash64(bytes); found != range.hash && range.bytes > 0) {
    throw CorruptData(str("[shard] ", path_.string(), ", ", what, ", bytes ", range.offset, " + ",
                          range.bytes, ": hash is ", to_hex(found), ", expected ",
                          to_hex(range.hash), "; it is damaged, pack the data set again"));
  }
  return bytes;
}

void Shard::read_stored(std::uint64_t offset, std::span<std::byte> bytes) const {
  if (file_.valid()) {
    read_at(file_, path_, offset, bytes);
  } else {
    read_at(open_read(path_), path_, offset, bytes);
  }
}

/// Decodes a frame of `raw` bytes into `out`, which takes as many of them as it holds.
void Shard::decode(std::span<const std::byte> stored, DType dtype, std::size_t raw,
                   std::span<std::byte> out, const std::string& where) const {
  const auto check = [&](const std::optional<std::string>& fault) {
    if (fault) throw CorruptData(where + *fault + "; it is damaged, pack the data set again");
  };
  const std::size_t element = size_of(dtype);
  if (element == 1) {  // shuffling single bytes is the identity
    EFLOW_ASSERT(out.size() == raw);
    return check(zstd_decompress(stored, out));
  }
  Scratch& buffers = scratch();
  buffers.shuffled.resize(raw);
  check(zstd_decompress(stored, buffers.shuffled));
  if (out.size() == raw) return byte_unshuffle(buffers.shuffled, element, out);
  buffers.whole.resize(raw);
  byte_unshuffle(buffers.shuffled, element, buffers.whole);
  std::copy_n(buffers.whole.begin(), out.size(), out.begin());
}

void Shard::read(std::int64_t i, std::span<std::byte> clip) const {
  const SampleEntry& entry = index_.samples.at(static_cast<std::size_t>(i));
  EFLOW_ASSERT(clip.size() == entry.raw);
  const std::string where = str("[shard] ", path_.string(), ", sample ", first_ + i, " (", i,
                                " of the shard), bytes ", entry.offset, " + ", entry.stored, ": ");
  std::vector<std::byte>& stored = scratch().stored;
  stored.resize(entry.stored);
  read_stored(entry.offset, stored);
  check_hash(stored, entry.hash, where);
  decode(stored, index_.dtype, entry.raw, clip, where);
}

std::int64_t Shard::captions(std::int64_t i) const {
  if (first_caption_.empty()) return 0;
  const auto at = static_cast<std::size_t>(i);
  return static_cast<std::int64_t>(first_caption_.at(at + 1) - first_caption_[at]);
}

const CaptionEntry& Shard::caption(std::int64_t i, std::int64_t k) const {
  EFLOW_ASSERT(k >= 0 && k < captions(i));
  return index_.records
      ->entries[first_caption_[static_cast<std::size_t>(i)] + static_cast<std::size_t>(k)];
}

void Shard::read_embedding(const CaptionEntry& caption, std::span<std::byte> values) const {
  const RecordsIndex& records = *index_.records;
  const std::size_t element = size_of(records.dtype);
  EFLOW_ASSERT(values.size() == static_cast<std::size_t>(caption.rows * records.width) * element);
  const std::string where =
      str("[shard] ", path_.string(), ", a caption of sample ", first_ + caption.clip, ", bytes ",
          caption.frame_offset, " + ", caption.frame_bytes, ": ");
  std::vector<std::byte>& stored = scratch().stored;
  stored.resize(static_cast<std::size_t>(caption.frame_bytes));
  read_stored(static_cast<std::uint64_t>(caption.frame_offset), stored);
  check_hash(stored, static_cast<std::uint64_t>(caption.frame_hash), where);
  decode(stored, records.dtype, records.frame_elements() * element, values, where);
}

std::string Shard::read_strings() const {
  if (!index_.records) return {};
  const auto bytes = read_table(index_.records->strings, "strings");
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<SourceEntry> Shard::read_sources() const {
  if (!index_.records) return {};
  const auto bytes = read_table(index_.records->sources, "sources");
  std::vector<SourceEntry> sources(bytes.size() / sizeof(SourceEntry));
  if (!bytes.empty()) std::memcpy(sources.data(), bytes.data(), bytes.size());
  return sources;
}

void Shard::verify_records() const {
  if (!index_.records) return;
  const RecordsIndex& records = *index_.records;
  const std::string strings = read_strings();
  for (const SourceEntry& source : read_sources()) {
    const auto size = static_cast<std::int64_t>(strings.size());
    if (source.name_offset < 0 || source.name_bytes < 0 || source.name_offset > size ||
        source.name_bytes > size - source.name_offset)
      throw CorruptData(
          str("[shard] ", path_.string(), ": a source's name is outside the strings"));
  }
  std::set<std::int64_t> read;
  std::vector<std::byte> values;
  for (const CaptionEntry& caption : records.entries) {
    if (!read.insert(caption.frame_offset).second) continue;
    values.resize(static_cast<std::size_t>(caption.rows * records.width) * size_of(records.dtype));
    read_embedding(caption, values);
  }
}

void Shard::verify_structure() const {
  const auto gaps = gaps_between(taken_ranges(index_), index_.user_block, index_.file_bytes, path_);
  const FileDescriptor file = open_read(path_);
  const std::uint64_t found = hash_of_gaps(gaps, [&](const ByteRange& gap) {
    std::vector<std::byte> bytes(gap.bytes);
    read_at(file, path_, gap.offset, bytes);
    return bytes;
  });
  if (found != index_.structure_hash) {
    throw CorruptData(str("[shard] ", path_.string(), ", HDF5 structure (", gaps.size(),
                          " ranges from byte ", index_.user_block, " on): hash is ", to_hex(found),
                          ", expected ", to_hex(index_.structure_hash),
                          "; eflow can read the clips, HDF5 tools may not"));
  }
}

}  // namespace eflow::io
