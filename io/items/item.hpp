#pragma once
// What importers read, whatever it is stored in: items, one clip each, one after another.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"
#include "eflow/io/arrays/element.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// A dense row-major array in memory, in the type of its file.
struct RawArray {
  Element element = Element::kU8;
  Shape shape{};
  std::vector<std::byte> bytes{};
};

struct ItemCaption {
  std::string text{};                   ///< UTF-8; may be empty
  std::optional<RawArray> embedding{};  ///< [tokens, width], if the file has it
};

/// Whether latents have mean 0 and standard deviation 1 per channel already.
enum class Normalised { kUnknown, kNo, kYes };

/// One clip and everything that its file says about it.
struct Item {
  std::string source{};  ///< for messages and the data set's record: "cats/0001.npy"
  RawArray clip{};
  std::string layout{};  ///< axes of the clip, if the importer knows: "CTHW"
  Normalised normalised = Normalised::kUnknown;
  std::string latent_space{};           ///< "wan2.1"; "" if the file does not say
  std::optional<std::int64_t> label{};  ///< a number, or
  std::string class_name{};             ///< a name; not both
  std::vector<ItemCaption> captions{};
  double fps = 0;                                  ///< of the original; 0: unknown
  std::int64_t width = 0, height = 0, frames = 0;  ///< of the original, in pixels; 0: unknown
};

/// One item cannot be read; the following ones can.
struct ItemFault : Error {
  ItemFault(std::string item, const std::string& reason)
      : Error(str(item, ": ", reason)), source(std::move(item)), why(reason) {}
  std::string source, why;
};

/// A sequence of items. Not thread-safe. Holds one item in memory, not all.
class ItemSource {
 public:
  virtual ~ItemSource() = default;
  /// The number of items, as far as it is known before reading; 0: unknown.
  [[nodiscard]] virtual std::int64_t expected() const { return 0; }
  /// Reads the next item into `item`; returns false after the last one. Throws ItemFault for one
  /// that cannot be read, after which the next call reads the one after it; IoError, CorruptData,
  /// InvalidArgument if nothing more can be read.
  virtual bool next(Item& item) = 0;
  /// Starts over. The same items follow in the same order.
  virtual void rewind() = 0;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
