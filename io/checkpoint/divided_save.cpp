#include "eflow/io/checkpoint/divided_save.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"
#include "eflow/io/checkpoint/state_file.hpp"
#include "eflow/io/checkpoint/state_reader.hpp"
#include "eflow/io/checkpoint/step_folder.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

/// Without those that only name an array: no elements of it are given, although it has some.
std::vector<NamedBytes> with_elements(std::span<const NamedBytes> arrays) {
  std::vector<NamedBytes> kept;
  for (const NamedBytes& array : arrays) {
    if (!array.bytes.empty() || element_count(array.shape) == 0) kept.push_back(array);
  }
  return kept;
}

ArrayEntry entry_of(const NamedBytes& array) {
  ArrayEntry entry;
  entry.info.name = array.name;
  entry.info.dtype = array.dtype;
  entry.info.shape = array.shape;
  entry.content = content_hash(array.bytes, array.dtype, array.first);
  return entry;
}

}  // namespace

std::string write_save_part(const fs::path& folder, std::int64_t step, const SavePart& part,
                            std::span<const NamedBytes> arrays) {
  check_saved_arrays(step, arrays);
  const fs::path path = folder / name_of_state(part);
  const std::vector<NamedBytes> written = with_elements(arrays);
  const std::string label = label_of(step, part);
  const StateLayout layout = write_state_file(path, written, label);
  CheckpointManifest manifest;
  manifest.step = step;
  manifest.files.push_back({name_of_state(part), layout.bytes, layout.structure_hash});
  std::size_t next = 0;
  for (const NamedBytes& array : arrays) {
    manifest.arrays.push_back(entry_of(array));
    if (next == written.size() || written[next].name != array.name) continue;
    manifest.arrays.back().parts.push_back(
        {0, array.first, layout.offsets[next++], array.bytes.size(), hash128(array.bytes)});
  }
  StateReader(open_read(path), path, manifest.files[0], label).verify(manifest, 0);
  if (part.count > 1) sync_directory(folder);  // each host sees to the names of its own files
  std::string report = to_json(manifest);
  std::erase(report, '\n');
  return report;
}

struct DividedSave::Rep {
  CheckpointStore store;
  std::int64_t step;
  TemporaryDirectory folder;
};

DividedSave::DividedSave(const CheckpointStore& store, std::int64_t step, std::uint64_t bytes) {
  const fs::path final = store.path_of(step), parent = final.parent_path();
  std::error_code code;
  fs::create_directories(parent, code);
  if (code) throw IoError(str("[checkpoint] ", parent.string(), ": ", code.message()));
  store.remove_leftovers();
  require_free_space(parent, bytes);
  rep_.reset(new Rep{store, step, TemporaryDirectory(parent, final.filename().string())});
}

DividedSave::~DividedSave() = default;

const fs::path& DividedSave::folder() const {
  return rep_->folder.path();
}

fs::path DividedSave::publish(std::span<const std::string> reports,
                              const std::string& metadata_json) {
  const fs::path &folder = rep_->folder.path(), final = rep_->store.path_of(rep_->step);
  std::vector<CheckpointManifest> writers;
  for (std::size_t w = 0; w < reports.size(); ++w)
    writers.push_back(parse_checkpoint_manifest(reports[w], str("report of writer ", w), true));
  CheckpointManifest manifest = joined(std::move(writers));
  manifest.metadata = metadata_json;
  const fs::path path = folder / kManifestName;
  write_file_atomically(path, to_json(manifest));
  const CheckpointManifest found = read_checkpoint_manifest(open_read(path), path);
  for (const StateFile& file : found.files) {
    std::error_code code;
    if (!fs::exists(folder / file.name, code)) {
      throw IoError(str("[checkpoint] ", (folder / file.name).string(),
                        " was written by another rank and is not seen here: all ranks must write "
                        "to the same file system"));
    }
    StateReader(open_read(folder / file.name), folder / file.name, file, "").check_size();
  }
  sync_directory(folder);
  commit_folder(folder, final);
  rep_->store.apply_retention(rep_->step);
  return final;
}

std::uint64_t bound_of_save(std::span<const NamedBytes> arrays, int writers,
                            const std::string& metadata_json) {
  std::uint64_t bytes = 2 * metadata_json.size();
  // An array takes about 1 KiB in addition to its elements, and 512 bytes of the manifest; of those
  // that are divided, every writer shares a few.
  for (const NamedBytes& array : arrays) {
    bytes += static_cast<std::uint64_t>(element_count(array.shape)) * size_of(array.dtype);
    bytes += array.name.size() + 1536;
  }
  return bytes + static_cast<std::uint64_t>(writers) * (80 << 10);
}

}  // namespace eflow::io
