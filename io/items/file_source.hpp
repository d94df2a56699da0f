#pragma once
// Items from a folder of .npy, .npz and .safetensors files: one item in each.

#include <filesystem>
#include <vector>

#include "eflow/io/items/item.hpp"
#include "eflow/io/items/named_arrays.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// How files are to be understood, as far as they do not say it themselves.
struct ReadOptions {
  ArrayKeys keys{};
  bool two_bytes_are_bf16 = false;  ///< of .npy: '<u2' and '|V2' are bits of bf16
  bool class_by_folder = false;     ///< an item's class is the name of its folder
};

/// Reads the files in the given order. A file NAME.txt or NAME.json next to an array file has its
/// captions and label. In a cache of musubi-tuner, BASE_wan_te.safetensors has the text of every
/// BASE_..._wan.safetensors and is no item.
class FileSource : public ItemSource {
 public:
  /// `root`: names of items are relative to it.
  FileSource(std::filesystem::path root, std::vector<std::filesystem::path> files,
             ReadOptions options);
  [[nodiscard]] std::int64_t expected() const override {
    return static_cast<std::int64_t>(files_.size());
  }
  bool next(Item& item) override;
  void rewind() override { at_ = 0; }

 private:
  void read(const std::filesystem::path& path, Item& item) const;

  std::filesystem::path root_;
  std::vector<std::filesystem::path> files_;
  ReadOptions options_;
  std::size_t at_ = 0;
};

/// Whether `path` ends like a file of arrays that FileSource reads.
[[nodiscard]] bool is_array_file(const std::filesystem::path& path);

/// Adds captions and label from NAME.txt and NAME.json next to `path`.
void add_side_files(const std::filesystem::path& path, Item& item);

}  // namespace eflow::io

EFLOW_EXPORT_END
