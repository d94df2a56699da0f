#include "eflow/io/dataset/dataset_writer.hpp"

#include <algorithm>
#include <optional>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/earlier_pack.hpp"
#include "eflow/io/shard/byte_shuffle.hpp"
#include "eflow/io/shard/records_builder.hpp"
#include "eflow/io/shard/shard.hpp"
#include "eflow/io/shard/shard_image.hpp"
#include "eflow/io/shard/zstd_codec.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockName = ".pack.lock";

std::int64_t clips_per_shard(const DatasetSpec& spec, const ShardLimits& limits) {
  if (limits.clips < 1 || limits.clips > kMaxShardClips || limits.raw_bytes < 1) {
    throw InvalidArgument(str("[dataset] shard limits are ", limits.clips, " clips and ",
                              limits.raw_bytes, " bytes; expected 1 to ", kMaxShardClips,
                              " clips and at least 1 byte"));
  }
  auto clip = static_cast<std::uint64_t>(element_count(spec.shape)) * size_of(spec.dtype);
  if (spec.text) {  // one caption of full length
    clip += static_cast<std::uint64_t>(spec.text->max_length * spec.text->width) *
            size_of(spec.text->dtype);
  }
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(limits.raw_bytes / clip), 1,
                                  limits.clips);
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

}  // namespace

struct DatasetWriter::Rep {
  fs::path directory;
  DatasetSpec spec;
  std::int64_t per_shard = 0;
  EarlierPack earlier;
  std::optional<FileLock> lock;
  Manifest manifest;
  bool complete = false;
  std::size_t clip_bytes = 0;

  std::vector<Frame> frames;  // clips of the shard being filled
  std::vector<std::int32_t> labels;
  RecordsBuilder records;
  std::vector<std::byte> shuffled;
  std::string prompts;  // content of prompts.safetensors, or empty

  ~Rep() {
    std::error_code code;  // remove the file while the lock is still held
    if (lock) fs::remove(directory / kLockName, code);
  }
  void find_earlier_work(ForeignFiles foreign);
  void take_kept_shards();
  [[nodiscard]] std::string name_of_shard(std::size_t number) const {
    return earlier.manifest ? earlier.manifest->shards.at(number).file : shard_name(number);
  }
  /// Clips of the shard that is being filled.
  [[nodiscard]] std::int64_t room() const {
    return earlier.manifest ? earlier.manifest->shards.at(manifest.shards.size()).count : per_shard;
  }
  [[nodiscard]] bool full_again() const {
    return earlier.manifest && manifest.count == earlier.manifest->count;
  }
  void seal();
  void write_prompts() const;
};

void DatasetWriter::Rep::find_earlier_work(ForeignFiles foreign) {
  earlier = claim_earlier_pack({directory, spec, per_shard, foreign});
  take_kept_shards();
  complete = full_again();
}

/// Moves kept shards to the manifest, up to the first that is missing.
void DatasetWriter::Rep::take_kept_shards() {
  for (auto next = earlier.intact.begin();
       next != earlier.intact.end() && next->first == manifest.shards.size();
       next = earlier.intact.erase(next)) {
    manifest.count += next->second.count;
    manifest.shards.push_back(next->second);
  }
}

void DatasetWriter::Rep::seal() {
  const fs::path path = directory / name_of_shard(manifest.shards.size());
  ShardIndex index;
  index.user_block = user_block_for(frames.size(), spec.has_records());
  ShardRecords extra = records.take(spec);
  const ShardImage image =
      build_shard_image(spec, index.user_block,
                        {frames, labels, spec.has_records() ? &extra : nullptr}, path.string());
  index.file_bytes = index.user_block + image.bytes.size();
  index.dtype = spec.dtype;
  index.shape = spec.shape;
  index.spec_key = earlier.key;
  index.labels_offset = image.labels_offset;
  index.labels_hash = hash64(std::as_bytes(std::span(labels)));
  index.records = image.records;
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
  take_kept_shards();
}

/// Writes prompts.safetensors unless it is there.
void DatasetWriter::Rep::write_prompts() const {
  if (prompts.empty() || has_prompts(directory, *spec.text->prompts_hash)) return;
  write_file_atomically(directory / kPromptsName, prompts);
}

DatasetWriter::DatasetWriter(const fs::path& directory, DatasetSpec spec, ShardLimits limits,
                             ForeignFiles foreign, const Prompts& prompts)
    : rep_(std::make_unique<Rep>()) {
  spec.check();
  Rep& rep = *rep_;
  if (!prompts.empty()) {
    if (!spec.text) throw InvalidArgument("[dataset] prompts for a data set without text");
    rep.prompts = encode_prompts(prompts, spec.text->width);
    spec.text->prompts_hash = hash_of_prompts(rep.prompts);
  }
  rep.directory = directory;
  rep.spec = std::move(spec);
  rep.per_shard = clips_per_shard(rep.spec, limits);
  rep.clip_bytes =
      static_cast<std::size_t>(element_count(rep.spec.shape)) * size_of(rep.spec.dtype);
  std::error_code code;
  fs::create_directories(directory, code);
  if (code) throw IoError(str("[dataset] ", directory.string(), ": ", code.message()));
  rep.lock.emplace(directory / kLockName);
  rep.find_earlier_work(foreign);
  rep.manifest.spec = rep.spec;
  if (rep.complete) rep.write_prompts();
}

DatasetWriter::~DatasetWriter() = default;

DatasetWriter::DatasetWriter(DatasetWriter&&) noexcept = default;

std::int64_t DatasetWriter::clips_done() const {
  return rep_->manifest.count;
}
bool DatasetWriter::complete() const {
  return rep_->complete;
}
bool DatasetWriter::repairing() const {
  return rep_->earlier.manifest && !rep_->complete;
}

void DatasetWriter::add(std::span<const std::byte> clip, std::int32_t label) {
  add(ClipRecord{.clip = clip, .label = label});
}

void DatasetWriter::add(const ClipRecord& record) {
  Rep& rep = *rep_;
  const auto& clip = record.clip;
  const std::int32_t label = record.label;
  if (rep.complete || rep.full_again())
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
  if (rep.spec.has_records() || !record.captions.empty())
    rep.records.add(rep.spec, record, rep.manifest.count);
  rep.shuffled.resize(clip.size());
  byte_shuffle(clip, size_of(rep.spec.dtype), rep.shuffled);
  rep.frames.push_back(zstd_compress(rep.shuffled));
  rep.labels.push_back(label);
  ++rep.manifest.count;
  if (static_cast<std::int64_t>(rep.frames.size()) == rep.room()) rep.seal();
}

Manifest DatasetWriter::finish() {
  Rep& rep = *rep_;
  if (rep.complete) return rep.manifest;
  if (rep.manifest.count == 0)
    throw InvalidArgument("[dataset] a data set needs at least one clip");
  if (rep.earlier.manifest && !rep.full_again()) {
    throw InvalidArgument(str("[dataset] ", rep.directory.string(), " had ",
                              rep.earlier.manifest->count, " clips, but only ", rep.manifest.count,
                              " were added to repair it"));
  }
  if (!rep.frames.empty()) rep.seal();
  rep.write_prompts();
  // Kept shards beyond the last clip: this data set turned out shorter.
  std::error_code code;
  for (const auto& [number, shard] : rep.earlier.intact)
    fs::remove(rep.directory / shard.file, code);
  const std::string text = to_json(rep.manifest);
  if (!rep.earlier.manifest || text != to_json(*rep.earlier.manifest))
    write_file_atomically(rep.directory / kManifestName, text);
  rep.complete = true;
  return rep.manifest;
}

}  // namespace eflow::io
