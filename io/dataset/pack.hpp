#pragma once
// Creates data sets from NumPy arrays or from any ClipSource.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/io/dataset/dataset_writer.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// The meaning of float inputs. u8 inputs are always pixels in [0, 255].
enum class FloatRange {
  kSymmetric,  ///< pixels in [-1, 1]
  kUnit,       ///< pixels in [0, 1]
  kAny,        ///< latents: any finite values, stored unchanged
};

/// The array does not say what its axes or values mean; an option must.
struct AmbiguousArray : InvalidArgument {
  using InvalidArgument::InvalidArgument;
};

struct PackOptions {
  /// Axis order of the array: a permutation of "NTHWC" that starts with N, or of "NTHW" for arrays
  /// of rank 4, which have C = 1. Empty: inferred if exactly one of NTHWC, NCTHW and NTCHW gives
  /// C = 1 or 3, otherwise an error.
  std::string layout{};
  /// Meaning of float values. Empty: pixels in [-1, 1] if the values fit and one is negative,
  /// otherwise an error.
  std::optional<FloatRange> float_range{};
  /// Stored element type. Defaults to u8 for u8 inputs, which allow no other, and f32 for floats.
  std::optional<DType> dtype{};
  std::int64_t class_count = 0;            ///< 0: the number of names, or the largest label + 1
  std::vector<std::string> class_names{};  ///< optional; distinct
  double fps = 8.0;                        ///< frames per second, for previews
  ShardLimits limits{};
  ForeignFiles foreign = ForeignFiles::kRefuse;
  /// Captions with embeddings (io/arrays/text_table.hpp), of the clips in their order; empty: none.
  std::filesystem::path text{};
  LatentSpace latent{};  ///< for float latents
  /// Receives the numbers of clips, on the calling thread. May be empty.
  std::function<void(std::int64_t done, std::int64_t total)> progress{};
  /// Polled once per clip. After a stop, sealed shards remain and a later pack continues from them.
  std::stop_token stop{};
};

struct PackReport {
  bool finished = false;       ///< false: stopped on request
  bool already_there = false;  ///< `out` already held this data set; nothing was written
  bool repaired = false;       ///< `out` held it with damage; only broken files were rewritten
  /// The meaning of the floats, if the options left it open.
  std::optional<FloatRange> guessed_range{};
  std::int64_t clips = 0;           ///< clips packed so far
  std::int64_t continued_from = 0;  ///< clips in shards that an interrupted pack had sealed
  std::string layout{};             ///< axis order used
  DatasetSpec spec{};
  std::uint64_t stored_bytes = 0;  ///< total size of all shards; 0 unless finished
};

/// Packs videos [N, ...] (u8, f32 or f64) and labels [N] (any integers; an empty path means no
/// labels) into `out`. If `out` holds this data set already, only damaged or missing shards are
/// written again; what else it may hold is refused unless options.foreign says otherwise. Throws
/// AmbiguousArray (axis order or range of floats); InvalidArgument (label out of range, counts that
/// differ, or a NaN or out-of-range value, naming clip and pixel; captions that do not fit the
/// clips), IoError, NoSpaceError, CorruptData.
PackReport pack_npy(const std::filesystem::path& videos, const std::filesystem::path& labels,
                    const std::filesystem::path& out, const PackOptions& options = {});

/// Packs the clips of any source. `options.dtype` defaults to u8 (pixels in [-1, 1], rounded);
/// layout, float_range, class_count and fps are ignored. `content_key` must change whenever the
/// clips change; it allows an interrupted pack to continue. Throws as pack_npy() does.
PackReport pack_source(const ClipSource& source, const std::filesystem::path& out,
                       const std::string& content_key, const PackOptions& options = {});

/// Infers the axis order from a shape. Throws AmbiguousArray, listing the candidates and asking
/// for --layout, unless exactly one is possible. `where` names the input in the message.
[[nodiscard]] std::string infer_layout(const Shape& shape, const std::string& where);

}  // namespace eflow::io

EFLOW_EXPORT_END
