#pragma once
// One table of names for an enum: printing and parsing of configuration values read it in both
// directions.

#include <array>
#include <string>
#include <string_view>

#include "eflow/base/error.hpp"

namespace eflow::nn {

/// names[i] belongs to the enumerator of value i.
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

}  // namespace eflow::nn
