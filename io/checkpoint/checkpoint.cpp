// Reads a checkpoint: manifest.json gives the offset of each array in state.h5 and its expected
// hash.
#include "eflow/io/checkpoint/checkpoint.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"

namespace eflow::io {
namespace {

std::uint64_t size_of_file(const FileDescriptor& file, const std::filesystem::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("stat", path.string());
  return static_cast<std::uint64_t>(info.st_size);
}

/// The Levenshtein distance between two names.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

struct Checkpoint::Rep {
  std::filesystem::path path, state_path;
  CheckpointManifest manifest;
  std::vector<ArrayInfo> infos;

  [[nodiscard]] FileDescriptor open_state() const;
  [[nodiscard]] LoadedArray load(const FileDescriptor& file, std::size_t i) const;
};

FileDescriptor Checkpoint::Rep::open_state() const {
  FileDescriptor file = open_read(state_path);
  const std::uint64_t size = size_of_file(file, state_path);
  if (size != manifest.state_bytes) {
    throw CorruptData(str("[checkpoint] ", state_path.string(), " has ", size, " bytes, expected ",
                          manifest.state_bytes,
                          size < manifest.state_bytes ? ": it is cut short" : ""));
  }
  return file;
}

LoadedArray Checkpoint::Rep::load(const FileDescriptor& file, std::size_t i) const {
  const ArrayInfo& info = infos[i];
  LoadedArray out{info.name, info.dtype, info.shape, std::vector<std::byte>(info.bytes)};
  read_at(file, state_path, info.offset, out.bytes);
  if (const Hash128 found = hash128(out.bytes); found != manifest.arrays[i].hash) {
    throw CorruptData(str("[checkpoint] ", state_path.string(), ", array ", info.name, ", bytes ",
                          info.offset, " + ", info.bytes, ": hash is ", to_hex(found),
                          ", expected ", to_hex(manifest.arrays[i].hash)));
  }
  return out;
}

Checkpoint::Checkpoint(const std::filesystem::path& directory) : rep_(std::make_unique<Rep>()) {
  rep_->path = directory;
  rep_->state_path = directory / kStateName;
  rep_->manifest = read_checkpoint_manifest(directory);
  for (const ArrayEntry& entry : rep_->manifest.arrays) rep_->infos.push_back(entry.info);
}

Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;

const std::filesystem::path& Checkpoint::path() const {
  return rep_->path;
}
std::int64_t Checkpoint::step() const {
  return rep_->manifest.step;
}
const std::string& Checkpoint::metadata() const {
  return rep_->manifest.metadata;
}
const std::vector<ArrayInfo>& Checkpoint::arrays() const {
  return rep_->infos;
}

bool Checkpoint::contains(std::string_view name) const {
  return std::any_of(rep_->infos.begin(), rep_->infos.end(),
                     [&](const ArrayInfo& info) { return info.name == name; });
}

std::vector<LoadedArray> Checkpoint::load(std::string_view prefix) const {
  const FileDescriptor file = rep_->open_state();
  std::vector<LoadedArray> out;
  for (std::size_t i = 0; i < rep_->infos.size(); ++i) {
    if (rep_->infos[i].name.starts_with(prefix)) out.push_back(rep_->load(file, i));
  }
  return out;
}

LoadedArray Checkpoint::load_one(std::string_view name) const {
  const auto& infos = rep_->infos;
  const auto found = std::find_if(infos.begin(), infos.end(),
                                  [&](const ArrayInfo& info) { return info.name == name; });
  if (found != infos.end()) {
    return rep_->load(rep_->open_state(), static_cast<std::size_t>(found - infos.begin()));
  }
  const auto nearest =
      std::min_element(infos.begin(), infos.end(), [&](const ArrayInfo& a, const ArrayInfo& b) {
        return edit_distance(a.name, name) < edit_distance(b.name, name);
      });
  throw InvalidArgument(
      str("[checkpoint] ", rep_->path.string(), " has no array \"", name, "\"",
          nearest == infos.end() ? std::string() : str("; did you mean \"", nearest->name, "\"?")));
}

void Checkpoint::verify() const {
  const FileDescriptor file = rep_->open_state();
  for (std::size_t i = 0; i < rep_->infos.size(); ++i) static_cast<void>(rep_->load(file, i));
  const std::uint64_t found =
      hash_of_structure(rep_->infos, rep_->manifest.state_bytes, file, rep_->state_path);
  if (found != rep_->manifest.structure_hash) {
    throw CorruptData(str("[checkpoint] ", rep_->state_path.string(),
                          ", HDF5 structure (the bytes between the arrays): hash is ",
                          to_hex(found), ", expected ", to_hex(rep_->manifest.structure_hash)));
  }
}

}  // namespace eflow::io
