#pragma once
// The HDF5 part of a shard (all but the user block), built in memory: no disk error can reach HDF5,
// and the file is then written in one go by our own durable writer. Internal to io.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "eflow/io/manifest.hpp"

namespace eflow::io {

/// One clip, shuffled and compressed: a zstd frame.
using Frame = std::vector<std::byte>;

struct ShardImage {
  std::vector<std::byte> bytes;        ///< the file from the user block's end on
  std::vector<std::uint64_t> offsets;  ///< of each clip's frame, in the file
  std::uint64_t labels_offset = 0;     ///< of the labels, in the file
};

/// The image with /latents [n, C, T, H, W] and /labels [n]. user_block: a power of two, 512 or
/// more. Equal arguments give equal bytes. `name` is for error texts. Throws IoError.
[[nodiscard]] ShardImage build_shard_image(const DatasetSpec& spec, std::uint64_t user_block,
                                           std::span<const Frame> frames,
                                           std::span<const std::int32_t> labels,
                                           const std::string& name);

}  // namespace eflow::io
