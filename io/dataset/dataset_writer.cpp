#include "eflow/io/dataset/dataset_writer.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/io/shard/byte_shuffle.hpp"
#include "eflow/io/shard/shard.hpp"
#include "eflow/io/shard/shard_image.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockName = ".pack.lock";

std::string shard_name(std::size_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "shard-%05zu.h5", number);
  return name;
}

std::int64_t clips_per_shard(const DatasetSpec& spec, const ShardLimits& limits) {
  if (limits.clips < 1 || limits.clips > kMaxShardClips || limits.raw_bytes < 1) {
    throw InvalidArgument(str("[dataset] shard limits are ", limits.clips, " clips and ",
                              limits.raw_bytes, " bytes; expected 1 to ", kMaxShardClips,
                              " clips and at least 1 byte"));
  }
  const auto clip = static_cast<std::uint64_t>(element_count(spec.shape)) * size_of(spec.dtype);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(limits.raw_bytes / clip), 1,
                                  limits.clips);
}

/// Identifies spec and shard size. One writer may continue another's work only if their keys agree.
Hash128 key_of(const DatasetSpec& spec, std::int64_t per_shard) {
  const std::string text = to_json({spec, per_shard, {}});
  return hash128(std::as_bytes(std::span(text.data(), text.size())));
}

/// Hashes the bytes that HDF5 wrote around the samples, from the image in memory.
std::uint64_t structure_hash(const ShardImage& image, const ShardIndex& index,
                             const fs::path& path) {
  const auto gaps = gaps_between(taken_ranges(index), index.user_block, index.file_bytes, path);
  return hash_of_gaps(gaps, [&](const ByteRange& gap) {
    const auto begin =
        image.bytes.begin() + static_cast<std::ptrdiff_t>(gap.offset - index.user_block);
    return std::vector<std::byte>(begin, begin + static_cast<std::ptrdiff_t>(gap.bytes));
  });
}

ShardEntry entry_of(const fs::path& path, const ShardIndex& index) {
  return {path.filename().string(), static_cast<std::int64_t>(index.samples.size()),
          index.file_bytes, index.checksum};
}

/// Returns the manifest entry of an existing shard, or nullopt unless it is an intact, full shard
/// of this data set.
std::optional<ShardEntry> reusable_shard(const fs::path& path, Hash128 key, std::int64_t clips) {
  std::error_code code;
  if (!fs::exists(path, code)) return std::nullopt;
  try {
    const Shard shard(path, 0);
    const ShardIndex& index = shard.index();
    if (index.spec_key != key || static_cast<std::int64_t>(index.samples.size()) != clips) {
      return std::nullopt;
    }
    std::vector<std::byte> clip(index.samples.front().raw);
    for (std::int64_t i = 0; i < clips; ++i) shard.read(i, clip);
    shard.verify_structure();
    return entry_of(path, index);
  } catch (const Error& e) {
    log_warning("[dataset] repacking ", path.string(), ": ", e.what());
    return std::nullopt;
  }
}

/// Removes the remains of an interrupted writer: temporary files, and shards numbered `first` and
/// up. Files with other names are left alone.
void remove_unfinished(const fs::path& directory, std::size_t first) {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    const std::string stem = name.substr(0, name.find(".tmp-"));
    unsigned long number = 0;
    int used = 0;
    const bool is_shard = std::sscanf(stem.c_str(), "shard-%5lu.h5%n", &number, &used) == 1 &&
                          static_cast<std::size_t>(used) == stem.size();
    const bool is_temporary = stem != name && (is_shard || stem == kManifestName);
    if (is_temporary || (is_shard && number >= first)) fs::remove(entry.path());
  }
}

}  // namespace

struct DatasetWriter::Rep {
  fs::path directory;
  DatasetSpec spec;
  std::int64_t per_shard = 0;
  Hash128 key;
  std::optional<FileLock> lock;
  Manifest manifest;
  bool complete = false;
  std::size_t clip_bytes = 0;

  std::vector<Frame> frames;  // clips of the shard being filled
  std::vector<std::int32_t> labels;
  std::vector<std::byte> shuffled;

  ~Rep() {
    std::error_code code;  // remove the file while the lock is still held
    if (lock) fs::remove(directory / kLockName, code);
  }
  void find_earlier_work();
  void seal();
};

void DatasetWriter::Rep::find_earlier_work() {
  if (fs::exists(directory / kManifestName)) {
    manifest = read_manifest(directory);
    const bool same =
        !spec.content_key.empty() && to_json({manifest.spec, 0, {}}) == to_json({spec, 0, {}});
    if (!same) {
      throw InvalidArgument(str("[dataset] ", directory.string(),
                                " already holds another data set (created by ",
                                manifest.spec.creator, ", ", manifest.count,
                                " clips); choose another directory, or delete that data set"));
    }
    complete = true;
    return remove_unfinished(directory, manifest.shards.size());
  }
  if (!spec.content_key.empty()) {
    while (auto shard =
               reusable_shard(directory / shard_name(manifest.shards.size()), key, per_shard)) {
      manifest.shards.push_back(*shard);
      manifest.count += shard->count;
    }
  }
  remove_unfinished(directory, manifest.shards.size());
}

void DatasetWriter::Rep::seal() {
  const fs::path path = directory / shard_name(manifest.shards.size());
  ShardIndex index;
  index.user_block = user_block_for(frames.size());
  const ShardImage image = build_shard_image(spec, index.user_block, frames, labels, path.string());
  index.file_bytes = index.user_block + image.bytes.size();
  index.dtype = spec.dtype;
  index.shape = spec.shape;
  index.spec_key = key;
  index.labels_offset = image.labels_offset;
  index.labels_hash = hash64(std::as_bytes(std::span(labels)));
  for (std::size_t i = 0; i < frames.size(); ++i) {
    index.samples.push_back({image.offsets[i], static_cast<std::uint32_t>(frames[i].size()),
                             static_cast<std::uint32_t>(clip_bytes), hash64(frames[i])});
  }
  index.structure_hash = structure_hash(image, index, path);

  std::vector<std::byte> file = encode_index(index);
  file.insert(file.end(), image.bytes.begin(), image.bytes.end());
  write_file_atomically(path, file);
  manifest.shards.push_back(entry_of(path, index));
  frames.clear();
  labels.clear();
}

DatasetWriter::DatasetWriter(const fs::path& directory, DatasetSpec spec, ShardLimits limits)
    : rep_(std::make_unique<Rep>()) {
  spec.check();
  Rep& rep = *rep_;
  rep.directory = directory;
  rep.spec = std::move(spec);
  rep.per_shard = clips_per_shard(rep.spec, limits);
  rep.key = key_of(rep.spec, rep.per_shard);
  rep.clip_bytes =
      static_cast<std::size_t>(element_count(rep.spec.shape)) * size_of(rep.spec.dtype);
  std::error_code code;
  fs::create_directories(directory, code);
  if (code) throw IoError(str("[dataset] ", directory.string(), ": ", code.message()));
  rep.lock.emplace(directory / kLockName);
  rep.find_earlier_work();
  rep.manifest.spec = rep.spec;
}

DatasetWriter::~DatasetWriter() = default;

DatasetWriter::DatasetWriter(DatasetWriter&&) noexcept = default;

std::int64_t DatasetWriter::clips_done() const {
  return rep_->manifest.count;
}
bool DatasetWriter::complete() const {
  return rep_->complete;
}

void DatasetWriter::add(std::span<const std::byte> clip, std::int32_t label) {
  Rep& rep = *rep_;
  if (rep.complete)
    throw InvalidArgument("[dataset] the data set is complete; no clip can be added");
  if (clip.size() != rep.clip_bytes) {
    throw InvalidArgument(str("[dataset] clip ", rep.manifest.count, " has ", clip.size(),
                              " bytes, but ", rep.spec.shape, " ", rep.spec.dtype, " takes ",
                              rep.clip_bytes));
  }
  if (label < 0 || label >= std::max<std::int64_t>(rep.spec.class_count, 1)) {
    throw InvalidArgument(str("[dataset] clip ", rep.manifest.count, " has label ", label,
                              "; the data set has ", rep.spec.class_count,
                              " classes, numbered from 0"));
  }
  rep.shuffled.resize(clip.size());
  byte_shuffle(clip, size_of(rep.spec.dtype), rep.shuffled);
  rep.frames.push_back(zstd_compress(rep.shuffled));
  rep.labels.push_back(label);
  ++rep.manifest.count;
  if (static_cast<std::int64_t>(rep.frames.size()) == rep.per_shard) rep.seal();
}

Manifest DatasetWriter::finish() {
  Rep& rep = *rep_;
  if (rep.complete) return rep.manifest;
  if (rep.manifest.count == 0)
    throw InvalidArgument("[dataset] a data set needs at least one clip");
  if (!rep.frames.empty()) rep.seal();
  write_file_atomically(rep.directory / kManifestName, to_json(rep.manifest));
  rep.complete = true;
  return rep.manifest;
}

}  // namespace eflow::io
