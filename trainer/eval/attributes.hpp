#pragma once
// Attributes: several labels per clip, such as its action and the colour of its hair. A classifier
// has one head for each, so samples of a text model can be compared with what their captions say.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// One attribute: its name and those of its values.
struct Attribute {
  std::string name = {};
  std::int64_t classes = 0;              ///< values are in [0, classes)
  std::vector<std::string> values = {};  ///< one name per value, or empty
};

/// The attributes of the clips of a data set, in their order.
struct AttributeTable {
  std::vector<Attribute> attributes = {};
  std::vector<std::int64_t> values = {};  ///< [clips, attributes.size()]

  [[nodiscard]] std::int64_t clips() const;
  /// Value of attribute `a` of a clip.
  [[nodiscard]] std::int64_t at(std::int64_t clip, std::size_t a) const;
};

/// Reads an integer array [clips, attributes] (.npy) and, unless `names` is empty, a JSON object
/// {"attribute": ["value", ...], ...} with the names in the order of the columns. Without names,
/// an attribute has the largest value + 1 classes. Throws InvalidArgument naming the clip, the
/// attribute and the value; IoError, CorruptData.
[[nodiscard]] AttributeTable read_attributes(const std::filesystem::path& array,
                                             const std::filesystem::path& names);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
