#pragma once
// Opens whatever a user has as a source of items: by the ends of file names.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/items/file_source.hpp"
#include "eflow/io/items/h5/h5_source.hpp"
#include "eflow/io/items/item.hpp"
#include "eflow/io/items/video_source.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct OpenOptions {
  ReadOptions read{};  ///< keys are also paths in an HDF5 file, where they begin with "/"
  VideoOptions video{};
  std::filesystem::path labels{};  ///< of one .npy file with many clips: another one
};

/// Opens files and folders, in this order, as one sequence of items. A folder stands for all files
/// below it, sorted by path: arrays first, then archives, HDF5 files, videos. A .npy file named
/// itself has many clips; one in a folder has one clip. Throws IoError, CorruptData; InvalidArgument
/// if there is nothing to read.
[[nodiscard]] std::unique_ptr<ItemSource> open_source(const std::vector<std::string>& paths,
                                                      const OpenOptions& options);

}  // namespace eflow::io

EFLOW_EXPORT_END
