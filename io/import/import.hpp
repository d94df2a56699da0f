#pragma once
// Packs the items of any source into a data set: those that fit together, saying of all others why
// they do not.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/pack.hpp"
#include "eflow/io/import/channel_stats.hpp"
#include "eflow/io/items/item.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

struct ImportOptions {
  /// layout applies to items whose source does not know it; class_count, class_names, fps, dtype,
  /// float_range, limits, foreign, progress and stop are as in pack_npy(). For floats with other than
  /// 1 or 3 channels, float_range defaults to kAny: latents. fps 0: that of the items.
  /// progress counts from 1 twice, first with the total that is expected, or 0 if nobody knows it.
  PackOptions pack{};
  /// A table of captions (TextTable), or empty. It has the embedding of each caption that an item
  /// brings; or, if items bring none, assigns captions to items by their number.
  std::filesystem::path text{};
  /// Statistics of latents to record. nullopt: those of the items' latent space, if it is known.
  std::optional<LatentSpace> latent{};
  bool measure_latents = false;  ///< record the statistics of the items themselves
  /// Whether latents are normalised, where the items do not say it.
  Normalised normalised = Normalised::kUnknown;
  std::optional<Shape> shape{};      ///< [C, T, H, W] to pack; nullopt: the most frequent
  bool record_sources = true;        ///< each item's source, fps and size
  bool strict = false;               ///< an item that cannot be used is an error
  std::int64_t part = 0, parts = 1;  ///< packs only items i with i % parts == part
};

/// An item that was not packed.
struct Skipped {
  std::string source{}, reason{};
};

struct ImportReport {
  PackReport pack{};
  std::vector<Skipped> skipped{};  ///< the first thousand
  std::int64_t skipped_count = 0;
  std::vector<std::string> notes{};  ///< what the user should know, one sentence or two each
};

/// Packs a source into `out`, reading it twice: the first pass checks and hashes, so that an
/// interrupted import continues and bad input fails before anything is written. Memory: one item and
/// one shard. Throws InvalidArgument if no item can be used, or, with strict, for the first that
/// cannot; AmbiguousArray; IoError, NoSpaceError, CorruptData.
ImportReport import_items(ItemSource& source, const std::filesystem::path& out,
                          const ImportOptions& options);

}  // namespace eflow::io

EFLOW_EXPORT_END
