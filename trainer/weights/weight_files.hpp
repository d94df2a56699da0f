#pragma once
// WeightFiles: the weights of another program, in one .safetensors file or several, with the
// description next to them.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/shape.hpp"
#include "eflow/io/arrays/safetensors.hpp"

namespace eflow::trainer {

class WeightFiles {
 public:
  /// path: a .safetensors file; a folder that holds one, or several and their
  /// .safetensors.index.json; or a pipeline's folder, of which transformer/ is read. A prefix
  /// "model.diffusion_model." of all names is removed. Throws InvalidArgument naming what is missing;
  /// IoError, CorruptData.
  explicit WeightFiles(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// The text of config.json, or "" if there is none.
  [[nodiscard]] const std::string& config() const { return config_; }
  /// The text of the pipeline's scheduler/scheduler_config.json, or "" if there is none.
  [[nodiscard]] const std::string& scheduler() const { return scheduler_; }
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool contains(const std::string& name) const { return where_.contains(name); }
  /// Throws InvalidArgument if there is no such array.
  [[nodiscard]] Shape shape(const std::string& name) const { return find(name).array.shape; }
  /// All values of an array of F16, BF16, F32 or F64.
  [[nodiscard]] std::vector<float> read(const std::string& name) const;

 private:
  struct Place {
    const io::SafetensorsFile* file = nullptr;
    std::string name = {};  ///< in the file
    io::StoredArray array = {};
  };
  [[nodiscard]] const Place& find(const std::string& name) const;
  void open(const std::filesystem::path& file);

  std::filesystem::path path_;
  std::string config_, scheduler_;
  std::vector<std::unique_ptr<io::SafetensorsFile>> files_;
  std::map<std::string, Place> where_;
};

}  // namespace eflow::trainer
