#pragma once
// The frames that `eflow sample --first-frame` and `--continue` start from.

#include <cstdint>
#include <filesystem>

#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/run/generator.hpp"

namespace eflow::program {

/// Reads frames for clips [C, T, H, W] from a .npy or .safetensors file: one frame [C, H, W],
/// frames [C, K, H, W], or several clips' [n, C, K, H, W]; channels may also be last. u8 is mapped
/// from 0..255 to [-1, 1]; latents are normalised as the run's data are, so samples.npy can be read
/// back. last: how many of the last frames to use, 0 for all. Throws InvalidArgument naming the
/// file and the shapes that fit; IoError, CorruptData.
[[nodiscard]] trainer::GivenClips read_given_frames(const std::filesystem::path& file,
                                                    const trainer::DataInfo& data,
                                                    std::int64_t last);

}  // namespace eflow::program
