#include "eflow/core/base/dtype.hpp"

#include <array>
#include <ostream>

#include "eflow/core/base/error.hpp"

namespace eflow {
namespace {

/// One row per enumerator of DType, in its order.
struct Row {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<Row, kDTypeCount> kRows{
    {{"f32", 4}, {"f64", 8}, {"bf16", 2}, {"i32", 4}, {"i64", 8}, {"u8", 1}}};

const Row& row(DType dtype) {
  const auto i = static_cast<std::size_t>(dtype);
  EFLOW_ASSERT(i < kRows.size());
  return kRows[i];
}

}  // namespace

std::size_t size_of(DType dtype) {
  return row(dtype).bytes;
}
std::string_view name_of(DType dtype) {
  return row(dtype).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << name_of(dtype);
}

}  // namespace eflow
