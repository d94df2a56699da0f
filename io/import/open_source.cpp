#include "eflow/io/import/open_source.hpp"

#include <algorithm>
#include <functional>

#include "eflow/io/items/archive_source.hpp"
#include "eflow/io/items/npy_source.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

using Opener = std::function<std::unique_ptr<ItemSource>()>;

/// Sources one after another; one is open at a time.
class Chain : public ItemSource {
 public:
  explicit Chain(std::vector<std::pair<std::string, Opener>> parts) : parts_(std::move(parts)) {}

  [[nodiscard]] std::int64_t expected() const override {
    return parts_.size() == 1 && open_ ? open_->expected() : 0;
  }
  bool next(Item& item) override {
    for (;;) {
      if (!open_ && at_ == parts_.size()) return false;
      if (!open_) open_next();
      if (open_->next(item)) return true;
      open_.reset();
    }
  }
  void rewind() override {
    open_.reset();
    at_ = 0;
  }

 private:
  void open_next() {
    const auto& [name, opener] = parts_[at_++];
    try {
      open_ = opener();
    } catch (const Error& error) {
      if (parts_.size() == 1) throw;  // nothing else to read
      throw ItemFault(name, error.what());
    }
  }

  std::vector<std::pair<std::string, Opener>> parts_;
  std::size_t at_ = 0;
  std::unique_ptr<ItemSource> open_;
};

/// What a folder holds, by kind.
struct Found {
  std::vector<fs::path> arrays, archives, h5, videos;
};

Found list(const fs::path& folder) {
  Found out;
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (fs::path& file : files) {
    if (is_array_file(file)) {
      out.arrays.push_back(std::move(file));
    } else if (is_archive(file)) {
      out.archives.push_back(std::move(file));
    } else if (is_h5(file)) {
      out.h5.push_back(std::move(file));
    } else if (is_video(file)) {
      out.videos.push_back(std::move(file));
    }
  }
  return out;
}

std::unique_ptr<ItemSource> open_h5(const fs::path& path, const OpenOptions& options) {
  const ArrayKeys& keys = options.read.keys;
  if (keys.clip.empty()) {
    throw InvalidArgument(str("[import] ", path.string(),
                              " is an HDF5 file; name the array that holds the clips by its path: "
                              "--latents /PATH"));
  }
  return std::make_unique<H5Source>(path, H5Options{keys.clip, keys.label, keys.context});
}

void add_folder(const fs::path& folder, const OpenOptions& options,
                std::vector<std::pair<std::string, Opener>>& parts) {
  Found found = list(folder);
  if (!found.arrays.empty()) {
    parts.emplace_back(folder.string(), [=, files = std::move(found.arrays)] {
      return std::make_unique<FileSource>(folder, files, options.read);
    });
  }
  for (const fs::path& path : found.archives)
    parts.emplace_back(path.string(),
                       [=] { return std::make_unique<ArchiveSource>(path, options.read); });
  for (const fs::path& path : found.h5)
    parts.emplace_back(path.string(), [=] { return open_h5(path, options); });
  if (!found.videos.empty()) {
    parts.emplace_back(folder.string(), [=, files = std::move(found.videos)] {
      return std::make_unique<VideoSource>(folder, files, options.video);
    });
  }
}

void add_file(const fs::path& path, const OpenOptions& options,
              std::vector<std::pair<std::string, Opener>>& parts) {
  const fs::path folder = path.parent_path();
  if (path.extension() == ".npy") {
    parts.emplace_back(path.string(), [=] {
      return std::make_unique<NpySource>(path, options.labels, options.read.two_bytes_are_bf16);
    });
  } else if (is_array_file(path)) {
    parts.emplace_back(path.string(), [=] {
      return std::make_unique<FileSource>(folder, std::vector{path}, options.read);
    });
  } else if (is_archive(path)) {
    parts.emplace_back(path.string(),
                       [=] { return std::make_unique<ArchiveSource>(path, options.read); });
  } else if (is_h5(path)) {
    parts.emplace_back(path.string(), [=] { return open_h5(path, options); });
  } else if (is_video(path)) {
    parts.emplace_back(path.string(), [=] {
      return std::make_unique<VideoSource>(folder, std::vector{path}, options.video);
    });
  } else {
    throw InvalidArgument(str("[import] ", path.string(),
                              " is of no known kind; expected a folder, .npy, .npz, .safetensors, "
                              ".tar, .zip, .h5 or a video"));
  }
}

}  // namespace

std::unique_ptr<ItemSource> open_source(const std::vector<std::string>& paths,
                                        const OpenOptions& options) {
  std::vector<std::pair<std::string, Opener>> parts;
  for (const fs::path path : paths) {
    if (!fs::exists(path))
      throw IoError(str("[import] ", path.string(), ": no such file or folder"));
    if (fs::is_directory(path)) {
      add_folder(path, options, parts);
    } else {
      add_file(path, options, parts);
    }
  }
  if (parts.empty()) {
    throw InvalidArgument(
        str("[import] ", paths.empty() ? "nothing" : paths.front(),
            " holds no .npy, .npz, .safetensors, .tar, .zip, .h5 or video files"));
  }
  return std::make_unique<Chain>(std::move(parts));
}

}  // namespace eflow::io
