#pragma once
// Code for each element type from one generic lambda. Internal to io.

#include <type_traits>

#include "eflow/core/base/error.hpp"
#include "eflow/io/arrays/element.hpp"
#include "eflow/io/arrays/safetensors.hpp"

namespace eflow::io {

/// An f16 as it is stored.
struct Half {
  std::uint16_t bits = 0;
  explicit operator double() const { return half_to_float(bits); }
  explicit operator float() const { return half_to_float(bits); }
};
/// A bf16 as it is stored.
struct Brain {
  bfloat16 value{};
  explicit operator double() const { return static_cast<float>(value); }
  explicit operator float() const { return static_cast<float>(value); }
};

/// Calls f(std::type_identity<T>) with the type T that has the element's bytes and converts to float
/// and double.
template <class F>
decltype(auto) visit_element(Element element, const F& f) {
  switch (element) {
    case Element::kU8:
      return f(std::type_identity<std::uint8_t>{});
    case Element::kF16:
      return f(std::type_identity<Half>{});
    case Element::kBF16:
      return f(std::type_identity<Brain>{});
    case Element::kF32:
      return f(std::type_identity<float>{});
    case Element::kF64:
      break;
  }
  return f(std::type_identity<double>{});
}

}  // namespace eflow::io
