#pragma once
// Text names of enums, for configuration values. Each enum with names has one table, a constexpr
// array in the header that declares the enum. Printing, parsing and lists of choices read that
// table.

#include <array>
#include <string>
#include <string_view>

#include "eflow/core/base/error.hpp"

namespace eflow {

/// Returns names[i] for the enumerator with value i. Throws std::out_of_range if the table is too
/// short.
template <class Enum, std::size_t n>
[[nodiscard]] std::string_view enum_name(Enum value, const std::array<std::string_view, n>& names) {
  return names.at(static_cast<std::size_t>(value));
}

/// Returns the enumerator with this name. Throws InvalidArgument, prefixed with [what], and lists
/// the known names.
template <class Enum, std::size_t n>
[[nodiscard]] Enum enum_from_name(std::string_view what, std::string_view name,
                                  const std::array<std::string_view, n>& names) {
  std::string known;
  for (std::size_t i = 0; i < n; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
    known += str(i ? ", " : "", names[i]);
  }
  throw InvalidArgument(str("[", what, "] unknown value '", name, "'; use one of ", known));
}

}  // namespace eflow
