#include "eflow/trainer/eval/attributes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/npy.hpp"

namespace eflow::trainer {
namespace {

constexpr std::uint64_t kMaxNamesBytes = 1 << 20;
constexpr std::int64_t kMaxClasses = 1 << 16;

std::vector<Attribute> read_names(const std::filesystem::path& path) {
  std::vector<Attribute> attributes;
  try {
    const auto json = nlohmann::ordered_json::parse(read_file(path, kMaxNamesBytes));
    if (!json.is_object()) throw InvalidArgument("expected an object");
    for (const auto& [name, values] : json.items()) {
      auto names = values.get<std::vector<std::string>>();
      const auto count = static_cast<std::int64_t>(names.size());
      attributes.push_back({name, count, std::move(names)});
    }
  } catch (const std::exception& error) {
    throw InvalidArgument(str("[attributes] ", path.string(), ": ", error.what(),
                              "; expected {\"attribute\": [\"value\", ...], ...}"));
  }
  return attributes;
}

}  // namespace

std::int64_t AttributeTable::clips() const {
  return static_cast<std::int64_t>(values.size() / attributes.size());
}

std::int64_t AttributeTable::at(std::int64_t clip, std::size_t a) const {
  return values.at(static_cast<std::size_t>(clip) * attributes.size() + a);
}

AttributeTable read_attributes(const std::filesystem::path& array,
                               const std::filesystem::path& names) {
  io::NpyIntegers read = io::read_npy_integers(array);
  const std::string where = str("[attributes] ", array.string(), ": ");
  if (read.shape.rank() != 2 || read.values.empty())
    throw InvalidArgument(str(where, "shape ", read.shape, "; expected [clips, attributes]"));
  const auto columns = static_cast<std::size_t>(read.shape[1]);
  AttributeTable table{{}, std::move(read.values)};
  if (!names.empty()) table.attributes = read_names(names);
  if (!names.empty() && table.attributes.size() != columns) {
    throw InvalidArgument(str(where, columns, " attributes, but ", names.string(), " names ",
                              table.attributes.size()));
  }
  for (std::size_t a = table.attributes.size(); a < columns; ++a)
    table.attributes.push_back({str("attribute ", a), 0, {}});
  for (std::size_t i = 0; i < table.values.size(); ++i) {
    Attribute& attribute = table.attributes[i % columns];
    const std::int64_t value = table.values[i];
    const std::int64_t most = attribute.values.empty() ? kMaxClasses : attribute.classes;
    if (value < 0 || value >= most) {
      throw InvalidArgument(str(where, "clip ", i / columns, ": ", attribute.name, " is ", value,
                                "; expected 0 to ", most - 1));
    }
    attribute.classes = std::max(attribute.classes, value + 1);
  }
  return table;
}

}  // namespace eflow::trainer
