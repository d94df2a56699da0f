#pragma once
// Element types of arrays that users have. Unlike DType, they include f16, which NumPy and PyTorch
// write and eflow converts on reading.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

enum class Element { kU8, kF16, kBF16, kF32, kF64 };
inline constexpr std::array<std::string_view, 5> kElementNames = {"u8", "f16", "bf16", "f32",
                                                                  "f64"};

/// Size of an element in bytes.
[[nodiscard]] std::size_t size_of(Element element);
/// The element type of a dtype of .safetensors, such as "BF16"; nullopt for others, such as "I64".
[[nodiscard]] std::optional<Element> element_of_safetensors(std::string_view dtype);
/// Converts values.size() elements to floats. f64 is rounded; all others are exact. Throws
/// InvalidArgument if the sizes do not match.
void to_floats(Element element, std::span<const std::byte> bytes, std::span<float> values);

}  // namespace eflow::io

EFLOW_EXPORT_END
