#pragma once
// The HDF5 part of a shard (everything but the user block), built in memory. HDF5 therefore never
// sees a disk error, and write_file_atomically() writes the finished file. Internal to io.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/shard/manifest.hpp"

namespace eflow::io {

/// One shuffled and compressed clip: a zstd frame.
using Frame = std::vector<std::byte>;

struct ShardImage {
  std::vector<std::byte> bytes;        ///< the file from the end of the user block
  std::vector<std::uint64_t> offsets;  ///< of each clip's frame, in the file
  std::uint64_t labels_offset = 0;     ///< of the labels, in the file
};

/// Builds the image with /latents [n, C, T, H, W] and /labels [n]. `user_block` is a power of two
/// of at least 512. Equal arguments give equal bytes. `name` is used in messages. Throws IoError.
[[nodiscard]] ShardImage build_shard_image(const DatasetSpec& spec, std::uint64_t user_block,
                                           std::span<const Frame> frames,
                                           std::span<const std::int32_t> labels,
                                           const std::string& name);

}  // namespace eflow::io
