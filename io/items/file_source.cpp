#include "eflow/io/items/file_source.hpp"

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/items/array_bytes.hpp"
#include "eflow/io/items/musubi.hpp"
#include "eflow/io/items/side_info.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxSideFile = 16 << 20;

}  // namespace

bool is_array_file(const fs::path& path) {
  const std::string end = path.extension().string();
  return end == ".npy" || end == ".npz" || end == ".safetensors";
}

void add_side_files(const fs::path& path, Item& item) {
  fs::path side = path;
  side.replace_extension(".txt");
  if (fs::exists(side)) add_text_info(read_file(side, kMaxSideFile), side.string(), item);
  side.replace_extension(".json");
  if (fs::exists(side)) add_json_info(read_file(side, kMaxSideFile), side.string(), item);
}

FileSource::FileSource(fs::path root, std::vector<fs::path> files, ReadOptions options)
    : root_(std::move(root)), options_(std::move(options)) {
  for (fs::path& file : files)
    if (!is_musubi_text(file)) files_.push_back(std::move(file));
}

void FileSource::read(const fs::path& path, Item& item) const {
  if (path.extension() == ".npy") {
    item.clip = read_npy(path, options_.two_bytes_are_bf16);
  } else {
    const auto file = path.extension() == ".npz" ? open_npz(path, options_.two_bytes_are_bf16)
                                                 : open_safetensors(path);
    read_named_arrays(*file, options_.keys, path.string(), item);
    if (is_musubi_latent(*file)) add_musubi_info(*file, path, item);
  }
  if (item.captions.empty()) add_side_files(path, item);
  if (options_.class_by_folder) item.class_name = path.parent_path().filename().string();
}

bool FileSource::next(Item& item) {
  if (at_ == files_.size()) return false;
  const fs::path& path = files_[at_++];
  item = Item{};
  item.source = fs::relative(path, root_).generic_string();
  try {
    read(path, item);
  } catch (const Error& error) {
    throw ItemFault(item.source, error.what());
  }
  return true;
}

}  // namespace eflow::io
