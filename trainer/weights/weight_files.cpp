#include "eflow/trainer/weights/weight_files.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kComfyPrefix = "model.diffusion_model.";
constexpr std::string_view kIndexEnd = ".safetensors.index.json";

std::vector<fs::path> files_ending_in(const fs::path& folder, std::string_view end) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().string().ends_with(end)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The files that an index names: {"weight_map": {weight: file}}.
std::vector<fs::path> files_of_index(const fs::path& index) {
  std::set<std::string> names;
  try {
    const auto json = nlohmann::json::parse(read_file(index));
    for (const auto& [weight, file] : json.at("weight_map").items())
      names.insert(file.get<std::string>());
  } catch (const nlohmann::json::exception& error) {
    throw CorruptData(str(index.string(), ": not an index of weights: ", error.what()));
  }
  std::vector<fs::path> files;
  for (const std::string& name : names) {
    if (fs::path(name).filename() != name)
      throw CorruptData(str(index.string(), ": expected names of files next to it, found ", name));
    files.push_back(index.parent_path() / name);
  }
  return files;
}

std::vector<fs::path> files_of_folder(const fs::path& folder) {
  const auto indices = files_ending_in(folder, kIndexEnd);
  if (indices.size() == 1) return files_of_index(indices[0]);
  const auto files = files_ending_in(folder, ".safetensors");
  if (files.size() == 1 && indices.empty()) return files;
  throw InvalidArgument(str(folder.string(), ": expected one .safetensors file, or one ", kIndexEnd,
                            " and the files that it names; found ", files.size(), " and ",
                            indices.size()));
}

}  // namespace

WeightFiles::WeightFiles(const fs::path& path) : path_(path) {
  if (fs::is_directory(path_ / "transformer")) path_ /= "transformer";
  const bool folder = fs::is_directory(path_);
  if (!folder && !fs::exists(path_))
    throw InvalidArgument(str(path.string(), ": no such file or folder"));
  for (const fs::path& file : folder ? files_of_folder(path_) : std::vector<fs::path>{path_})
    open(file);
  const fs::path around = folder ? path_ : path_.parent_path();
  const auto text_of = [](const fs::path& file) {
    return fs::exists(file) ? read_file(file) : std::string();
  };
  config_ = text_of(around / "config.json");
  if (around.filename() == "transformer")
    scheduler_ = text_of(around.parent_path() / "scheduler/scheduler_config.json");
}

void WeightFiles::open(const fs::path& file) {
  const auto& opened = files_.emplace_back(std::make_unique<io::SafetensorsFile>(file));
  for (const auto& [name, array] : opened->arrays()) {
    const std::string plain =
        name.starts_with(kComfyPrefix) ? name.substr(kComfyPrefix.size()) : name;
    if (!where_.emplace(plain, Place{opened.get(), name, array}).second)
      throw CorruptData(str(file.string(), ": ", name, " is in another file too"));
  }
}

std::vector<std::string> WeightFiles::names() const {
  std::vector<std::string> all;
  for (const auto& [name, place] : where_) all.push_back(name);
  return all;
}

const WeightFiles::Place& WeightFiles::find(const std::string& name) const {
  const auto found = where_.find(name);
  if (found == where_.end()) throw InvalidArgument(str(path_.string(), ": holds no ", name));
  return found->second;
}

std::vector<float> WeightFiles::read(const std::string& name) const {
  const Place& place = find(name);
  std::vector<float> values(static_cast<std::size_t>(element_count(place.array.shape)));
  place.file->read_floats(place.name, 0, values);
  return values;
}

}  // namespace eflow::trainer
