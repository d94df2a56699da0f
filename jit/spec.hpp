#pragma once
// Spec: which kernel text, specialised how. 64 bytes of plain data, compared whole; the memory tables' key.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "eflow/base/dtype.hpp"

namespace eflow::jit {

/// FNV-1a of a text's name: how a Spec names it.
[[nodiscard]] constexpr std::uint64_t text_id(std::string_view name) {
  std::uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return h;
}

struct Spec {
  static constexpr int kDTypes = 4;
  static constexpr int kConstants = 12;
  static constexpr std::uint8_t kNoDType = 0xff;

  std::uint64_t text = 0;
  std::uint8_t dtypes[kDTypes] = {kNoDType, kNoDType, kNoDType, kNoDType};
  std::uint32_t assume =
      0;  ///< bits of what the text may rely on (alignment, divisibility); 0 = nothing
  std::int32_t constants[kConstants] = {};

  constexpr Spec() = default;
  /// `name` is the text's; dtypes and constants in the order that the text documents.
  constexpr Spec(std::string_view name, std::initializer_list<DType> types,
                 std::initializer_list<int> values = {})
      : text(text_id(name)) {
    int i = 0;
    for (const DType t : types) dtypes[i++] = static_cast<std::uint8_t>(t);
    i = 0;
    for (const int v : values) constants[i++] = v;
  }

  friend bool operator==(const Spec& a, const Spec& b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
  }
};
static_assert(sizeof(Spec) == 64);

/// For messages: "gemm<f32, f32>(0, 1)". `name` is what text_id was made of.
[[nodiscard]] std::string to_string(const Spec& spec, std::string_view name);

struct SpecHash {
  std::size_t operator()(const Spec& spec) const noexcept;
};

}  // namespace eflow::jit
