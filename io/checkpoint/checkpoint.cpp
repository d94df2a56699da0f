// Reads a checkpoint: manifest.json says where the parts of each array are, and their hashes.
#include "eflow/io/checkpoint/checkpoint.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/checkpoint/checkpoint_manifest.hpp"
#include "eflow/io/checkpoint/state_reader.hpp"

namespace eflow::io {
namespace {

/// Opens `name` in an open directory. Throws MissingCheckpoint, with `remedy`, if it does not exist.
/// The file may be a FIFO that someone put there: opening it must not wait.
FileDescriptor open_part(const FileDescriptor& directory, const std::filesystem::path& path,
                         const std::string& name, const std::string& remedy = "") {
  FileDescriptor file(::openat(directory.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) {
    throw MissingCheckpoint(
        str("[checkpoint] ", path.string(), " is not a checkpoint: it has no ", name, remedy));
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
  std::filesystem::path path;
  CheckpointManifest manifest;
  std::vector<StateReader> files;
  std::vector<ArrayInfo> infos;

  void open_files(const FileDescriptor& folder);
  void check_sizes() const {
    for (const StateReader& file : files) file.check_size();
  }
  [[nodiscard]] LoadedArray load(std::size_t i) const;
};

void Checkpoint::Rep::open_files(const FileDescriptor& folder) {
  const auto count = static_cast<int>(manifest.files.size());
  for (int i = 0; i < count; ++i) {
    const StateFile& file = manifest.files[static_cast<std::size_t>(i)];
    const std::string remedy =
        count == 1 ? std::string()
                   : str(", the part of rank ", i, " of ", count, " (", file.bytes,
                         " bytes); copy it from where the checkpoint was saved, or use another");
    files.emplace_back(open_part(folder, path, file.name, remedy), path / file.name, file,
                       label_of(manifest.step, {i, count}));
  }
}

LoadedArray Checkpoint::Rep::load(std::size_t i) const {
  const ArrayInfo& info = infos[i];
  const ArrayEntry& entry = manifest.arrays[i];
  LoadedArray out{info.name, info.dtype, info.shape, {}};
  naming(files[entry.parts.at(0).file].path(), info.bytes, [&] { out.bytes.resize(info.bytes); });
  for (const ArrayPart& part : entry.parts) {
    const std::size_t at = part.first * size_of(info.dtype);
    files[part.file].read(entry, part, std::span(out.bytes).subspan(at, part.bytes));
  }
  return out;
}

Checkpoint::Checkpoint(const std::filesystem::path& directory) : rep_(std::make_unique<Rep>()) {
  rep_->path = directory;
  const std::filesystem::path manifest_path = directory / kManifestName;
  const FileDescriptor folder = open_directory(directory);
  const FileDescriptor manifest = open_part(folder, directory, kManifestName);
  naming(manifest_path, size_of_file(manifest, manifest_path),
         [&] { rep_->manifest = read_checkpoint_manifest(manifest, manifest_path); });
  rep_->open_files(folder);
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
                to_hex(entry.content.value_or(entry.parts.at(0).hash)), "\n");
  }
  return to_hex(hash128(std::as_bytes(std::span(text.data(), text.size()))));
}

std::vector<LoadedArray> Checkpoint::load(std::string_view prefix) const {
  rep_->check_sizes();
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
    rep_->check_sizes();
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
  for (std::size_t f = 0; f < rep_->files.size(); ++f) rep_->files[f].verify(rep_->manifest, f);
}

}  // namespace eflow::io
