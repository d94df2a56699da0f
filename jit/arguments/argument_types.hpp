#pragma once
// The types of a kernel's arguments: those of its text, which are compiled into it, compared with those of
// a launch. Alignment and names of fields play no part, and void* passes for any pointer.

#include <string>
#include <string_view>

#include "eflow/core/base/bfloat16.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/kernels_src/tile/base/argument_types.h"

namespace eflow_text {
template <>
struct CodeOf<eflow::bfloat16> {
  static constexpr unsigned char value = kBf16Code;
};
}  // namespace eflow_text

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

using eflow_text::ArgumentTypes;

inline constexpr ArgumentTypes kUnknownArguments{{}, ArgumentTypes::kUnknown, {}};

/// The types of the fields of a host's argument struct.
template <class Args>
inline constexpr ArgumentTypes kArgumentTypes = eflow_text::argument_types<Args>();

/// "(const f32*, f32*, i64)". Elements of an array are listed one by one; a struct by value, bf16
/// included, is "struct". "unknown" for a struct that is not an aggregate or has more than 48 fields.
[[nodiscard]] std::string to_string(const ArgumentTypes& types);

/// Whether the arguments of a launch have the types that the text takes. Those that are unknown pass;
/// so do void* for a pointer, and a pointer for one to const.
[[nodiscard]] bool accepts(const ArgumentTypes& text, const ArgumentTypes& launch) noexcept;

/// How they differ: "argument 2 is f32* in the text and i64 in the launch; the text takes (...), the
/// launch passes (...)". For those that accepts() refuses.
[[nodiscard]] std::string difference_of(const ArgumentTypes& text, const ArgumentTypes& launch);

/// The types in a compiled image, which may be PTX; unknown if it has none.
[[nodiscard]] ArgumentTypes argument_types_of(std::string_view image);

}  // namespace eflow::jit

EFLOW_EXPORT_END
