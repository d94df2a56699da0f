#pragma once
// The labels of an array of clips: one integer per clip, and the number of classes that they
// number. Internal to io.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "eflow/io/dataset/pack.hpp"

namespace eflow::io {

struct Labels {
  std::vector<std::int32_t> values{};
  std::int64_t class_count = 0;
};

/// Reads [clips] integers of any type. An empty path gives zeros and no classes. The number of
/// classes is that of the options, of the names, or the largest label + 1. Throws InvalidArgument
/// naming the first clip whose label is out of range; IoError, CorruptData.
[[nodiscard]] Labels read_labels(const std::filesystem::path& path, std::int64_t clips,
                                 const PackOptions& options);

}  // namespace eflow::io
