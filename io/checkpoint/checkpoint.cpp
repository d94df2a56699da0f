// Reads a checkpoint: manifest.json gives the offset of each array in state.h5 and its expected
// hash.
#include "eflow/io/checkpoint/checkpoint.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"

namespace eflow::io {
namespace {

/// Opens `name` in an open directory. Throws MissingCheckpoint if it does not exist. The file may be
/// a FIFO that someone put there: opening it must not wait.
FileDescriptor open_part(const FileDescriptor& directory, const std::filesystem::path& path,
                         const char* name) {
  FileDescriptor file(::openat(directory.get(), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) {
    throw MissingCheckpoint(
        str("[checkpoint] ", path.string(), " is not a checkpoint: it has no ", name));
  }
  if (!file.valid()) throw_errno("open", (path / name).string());
  return file;
}

FileDescriptor open_directory(const std::filesystem::path& path) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.valid() && (errno == ENOENT || errno == ENOTDIR)) {
    throw MissingCheckpoint(
        str("[checkpoint] ", path.string(), " is not a checkpoint: there is no such folder"));
  }
  if (!file.valid()) throw_errno("open", path.string());
  return file;
}

[[noreturn]] void out_of_memory(const std::filesystem::path& path, std::uint64_t bytes) {
  throw DeviceError(str("[checkpoint] ", path.string(), ": not enough memory to read ", bytes,
                        " bytes; free some memory, or raise the limit (ulimit -v)"));
}

/// Returns body(); a lack of memory becomes an error that names the file.
template <class F>
auto naming(const std::filesystem::path& path, std::uint64_t bytes, const F& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    out_of_memory(path, bytes);
  } catch (const std::length_error&) {
    out_of_memory(path, bytes);
  }
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
  FileDescriptor state;
  CheckpointManifest manifest;
  std::vector<ArrayInfo> infos;

  void check_size() const;
  [[nodiscard]] LoadedArray load(std::size_t i) const;
};

void Checkpoint::Rep::check_size() const {
  const std::uint64_t size = size_of_file(state, state_path);
  if (size != manifest.state_bytes) {
    throw CorruptData(str("[checkpoint] ", state_path.string(), " has ", size, " bytes, expected ",
                          manifest.state_bytes,
                          size < manifest.state_bytes ? ": it is cut short" : ""));
  }
}

LoadedArray Checkpoint::Rep::load(std::size_t i) const {
  const ArrayInfo& info = infos[i];
  LoadedArray out{info.name, info.dtype, info.shape, {}};
  naming(state_path, info.bytes, [&] { out.bytes.resize(info.bytes); });
  read_at(state, state_path, info.offset, out.bytes);
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
  const std::filesystem::path manifest_path = directory / kManifestName;
  const FileDescriptor folder = open_directory(directory);
  const FileDescriptor manifest = open_part(folder, directory, kManifestName);
  rep_->state = open_part(folder, directory, kStateName);
  naming(manifest_path, size_of_file(manifest, manifest_path),
         [&] { rep_->manifest = read_checkpoint_manifest(manifest, manifest_path); });
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

std::string Checkpoint::digest(std::string_view prefix) const {
  std::string text;
  for (const ArrayEntry& entry : rep_->manifest.arrays) {
    if (!entry.info.name.starts_with(prefix)) continue;
    text += str(entry.info.name, " ", entry.info.shape, " ", entry.info.dtype, " ",
                to_hex(entry.hash), "\n");
  }
  return to_hex(hash128(std::as_bytes(std::span(text.data(), text.size()))));
}

std::vector<LoadedArray> Checkpoint::load(std::string_view prefix) const {
  rep_->check_size();
  std::vector<LoadedArray> out;
  for (std::size_t i = 0; i < rep_->infos.size(); ++i) {
    if (rep_->infos[i].name.starts_with(prefix)) out.push_back(rep_->load(i));
  }
  return out;
}

LoadedArray Checkpoint::load_one(std::string_view name) const {
  const auto& infos = rep_->infos;
  const auto found = std::find_if(infos.begin(), infos.end(),
                                  [&](const ArrayInfo& info) { return info.name == name; });
  if (found != infos.end()) {
    rep_->check_size();
    return rep_->load(static_cast<std::size_t>(found - infos.begin()));
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
  rep_->check_size();
  for (std::size_t i = 0; i < rep_->infos.size(); ++i) static_cast<void>(rep_->load(i));
  const std::uint64_t found = naming(rep_->state_path, rep_->manifest.state_bytes, [&] {
    return hash_of_structure(rep_->infos, rep_->manifest.state_bytes, rep_->state,
                             rep_->state_path);
  });
  if (found != rep_->manifest.structure_hash) {
    throw CorruptData(str("[checkpoint] ", rep_->state_path.string(),
                          ", HDF5 structure (the bytes between the arrays): hash is ",
                          to_hex(found), ", expected ", to_hex(rep_->manifest.structure_hash)));
  }
}

}  // namespace eflow::io
