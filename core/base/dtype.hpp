#pragma once
// Element types of tensors, shards and checkpoints. The numbers are part of file formats: append, never reorder.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string_view>

#include "eflow/base/bfloat16.hpp"

namespace eflow {

enum class DType : std::uint8_t { kF32 = 0, kF64 = 1, kBF16 = 2, kI32 = 3, kI64 = 4, kU8 = 5 };
inline constexpr int kDTypeCount = 6;

/// Bytes of one element.
[[nodiscard]] std::size_t size_of(DType dtype);
/// "f32", "f64", "bf16", "i32", "i64", "u8".
[[nodiscard]] std::string_view name_of(DType dtype);
/// The inverse of name_of; nothing for an unknown name.
[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name);
[[nodiscard]] constexpr bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBF16;
}
/// What sums of this type are kept in: f64 for f64, else f32.
[[nodiscard]] constexpr DType accumulator_of(DType dtype) {
  return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}
std::ostream& operator<<(std::ostream& out, DType dtype);

/// The DType of a C++ type: dtype_of<float>() is DType::kF32.
template <class T>
[[nodiscard]] constexpr DType dtype_of();
template <> constexpr DType dtype_of<float>() { return DType::kF32; }
template <> constexpr DType dtype_of<double>() { return DType::kF64; }
template <> constexpr DType dtype_of<bfloat16>() { return DType::kBF16; }
template <> constexpr DType dtype_of<std::int32_t>() { return DType::kI32; }
template <> constexpr DType dtype_of<std::int64_t>() { return DType::kI64; }
template <> constexpr DType dtype_of<std::uint8_t>() { return DType::kU8; }

}  // namespace eflow
