#pragma once
// The first pass over the items of an import: which of them fit together into one data set, and what
// that data set is. Internal to io.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "eflow/core/base/hash.hpp"
#include "eflow/io/import/caption_table.hpp"
#include "eflow/io/import/channel_stats.hpp"
#include "eflow/io/import/import.hpp"

namespace eflow::io {

/// All items of one shape.
struct Bucket {
  Shape shape{};  ///< [C, T, H, W]
  std::int64_t items = 0;
  ChannelStats stats{};
  double fps = 0;     ///< of the first item that knows it
  Hash128 content{};  ///< chained over the items
  std::set<Element> elements{};
  std::set<Normalised> normalised{};
  std::set<std::string> latent_spaces{};
  // Labels:
  std::set<std::string> class_names{};
  std::int64_t named = 0, numbered = 0;  ///< items whose class has a name, or a number
  std::int64_t smallest_label = 0, largest_label = 0;
  // Captions:
  std::int64_t captioned = 0;   ///< items with an embedding
  std::int64_t by_number = 0;   ///< items to which the table assigns captions by their number
  std::int64_t texts_only = 0;  ///< items with captions but no embedding
  std::int64_t longest = 0;     ///< tokens
  std::set<std::int64_t> text_widths{};
  bool text_is_bf16 = true;  ///< of all embeddings that are the items' own
};

struct Survey {
  std::vector<Bucket> buckets{};
  std::vector<std::int32_t> bucket_of_item{};  ///< of every item in order; kLeftOut: not used
  static constexpr std::int32_t kLeftOut = -1;
};

/// Called for an item that cannot be used.
using Skip = std::function<void(const std::string& source, const std::string& reason)>;

/// Reads all items once. `table` may be null. Stops early when options.pack.stop says so.
[[nodiscard]] Survey survey_items(ItemSource& source, const ImportOptions& options,
                                  const CaptionTable* table, const Skip& skip);

}  // namespace eflow::io
