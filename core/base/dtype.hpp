#pragma once
// Element types of tensors, shards and checkpoints. The enumerator values are stored in files:
// append new ones, never reorder.

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string_view>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Element type: IEEE f32 and f64, bfloat16, signed 32- and 64-bit integers, unsigned bytes.
enum class DType : std::uint8_t { kF32 = 0, kF64 = 1, kBF16 = 2, kI32 = 3, kI64 = 4, kU8 = 5 };
inline constexpr int kDTypeCount = 6;

/// Returns the size of one element in bytes.
[[nodiscard]] std::size_t size_of(DType dtype);
/// Returns "f32", "f64", "bf16", "i32", "i64" or "u8".
[[nodiscard]] std::string_view name_of(DType dtype);
/// Inverse of name_of; nullopt for an unknown name.
[[nodiscard]] std::optional<DType> dtype_from_name(std::string_view name);
/// Whether the dtype is f32, f64 or bf16. Only floating tensors have gradients.
[[nodiscard]] constexpr bool is_floating(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kBF16;
}
/// Returns the dtype in which sums over this dtype accumulate: f64 for f64, otherwise f32.
[[nodiscard]] constexpr DType accumulator_of(DType dtype) {
  return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}
/// Prints name_of(dtype).
std::ostream& operator<<(std::ostream& out, DType dtype);

/// Maps a C++ type to its DType: dtype_of<float>() is DType::kF32. Other types do not link.
template <class T>
[[nodiscard]] constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kF64;
}
template <>
constexpr DType dtype_of<bfloat16>() {
  return DType::kBF16;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::kI32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::kI64;
}
template <>
constexpr DType dtype_of<std::uint8_t>() {
  return DType::kU8;
}

}  // namespace eflow

EFLOW_EXPORT_END
