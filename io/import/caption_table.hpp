#pragma once
// The captions of items, with embeddings of their own or of a table. Internal to io.

#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "eflow/core/base/hash.hpp"
#include "eflow/io/arrays/text_table.hpp"
#include "eflow/io/items/item.hpp"
#include "eflow/io/shard/clip_record.hpp"

namespace eflow::io {

/// One caption and where its embedding is: in the item (own) or in the table.
struct ResolvedCaption {
  std::string text{};
  const RawArray* own = nullptr;
  std::int64_t in_table = -1;
  std::int64_t rows = 0;
};

/// A table, opened, and an index of its texts.
class CaptionTable {
 public:
  explicit CaptionTable(const std::filesystem::path& path);
  [[nodiscard]] const TextTable& table() const { return table_; }
  [[nodiscard]] Hash128 hash() const { return hash_; }  ///< of the file
  /// The number of the caption with this text. Throws InvalidArgument if there is none.
  [[nodiscard]] std::int64_t find(const std::string& text) const;

 private:
  TextTable table_;
  Hash128 hash_{};
  std::unordered_map<std::string, std::int64_t> numbers_;
};

/// The captions of item number `index` that have embeddings. The item's own embeddings come first,
/// then those that `table`, which may be null, has for its captions; without captions, those that the
/// table assigns to `index`. Empty without any. Throws InvalidArgument if the table lacks a caption.
[[nodiscard]] std::vector<ResolvedCaption> resolve_captions(const Item& item, std::int64_t index,
                                                            const CaptionTable* table);

/// The caption as it is stored: embedding in `dtype`. Throws InvalidArgument for a value that is not
/// finite.
[[nodiscard]] CaptionRecord record_of(const ResolvedCaption& caption, const CaptionTable* table,
                                      DType dtype);

}  // namespace eflow::io
