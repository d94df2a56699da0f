#pragma once
// Makes data sets: from NumPy arrays, or from any ClipSource.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "eflow/io/clip_source.hpp"
#include "eflow/io/dataset_writer.hpp"

namespace eflow::io {

/// What float inputs mean. u8 inputs are always pixels 0..255.
enum class FloatRange {
  kSymmetric,  ///< pixels in [-1, 1]
  kUnit,       ///< pixels in [0, 1]
  kAny,        ///< latents: any finite values, taken as they are
};

struct PackOptions {
  /// Order of the axes of the array, a permutation of "NTHWC" that starts with N ("NTHW" for 4
  /// axes, meaning C = 1). Empty: inferred where only one of NTHWC, NCTHW, NTCHW can be meant (its
  /// C is 1 or 3), else an error.
  std::string layout;
  FloatRange float_range = FloatRange::kSymmetric;
  std::optional<DType>
      dtype;  ///< stored; default u8 for u8 inputs (the only choice then) and f32 for floats
  std::int64_t class_count = 0;          ///< 0: the number of names, else the largest label + 1
  std::vector<std::string> class_names;  ///< optional
  double fps = 8.0;
  ShardLimits limits;
  std::function<void(std::int64_t done, std::int64_t total)>
      progress;          ///< clips; on the caller's thread
  std::stop_token stop;  ///< polled once a clip; what is sealed stays and a later pack continues
};

struct PackReport {
  bool finished = false;            ///< false: stopped on request
  bool already_there = false;       ///< the directory held this very data set, nothing was written
  std::int64_t clips = 0;           ///< in the data set
  std::int64_t continued_from = 0;  ///< clips that an earlier, interrupted pack had sealed
  std::string layout;               ///< as used
  DatasetSpec spec;
  std::uint64_t stored_bytes = 0;
};

/// Packs videos [N, ...] (u8, f32 or f64) and labels [N] (u8, i32 or i64; an empty path for none)
/// into `out`. Throws InvalidArgument (ambiguous layout, label out of range, counts that differ, a
/// NaN or a value out of range, naming clip and pixel), IoError, NoSpaceError, CorruptData. What
/// `out` held before stays whole.
PackReport pack_npy(const std::filesystem::path& videos, const std::filesystem::path& labels,
                    const std::filesystem::path& out, const PackOptions& options = {});

/// The same from any source. `options.dtype` defaults to u8 (pixels in [-1, 1], rounded); layout
/// and float_range are not used. `content_key` must change whenever the clips do; it lets an
/// interrupted pack continue.
PackReport pack_source(const ClipSource& source, const std::filesystem::path& out,
                       const std::string& content_key, const PackOptions& options = {});

/// The layout that a shape can mean, or InvalidArgument that lists the candidates and asks for
/// --layout.
[[nodiscard]] std::string infer_layout(const Shape& shape, const std::string& where);

}  // namespace eflow::io
