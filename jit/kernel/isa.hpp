#pragma once
// Isa: the CPU instruction sets for which kernel texts are compiled.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// kAvx512Bf16 adds bf16 dot products to kAvx512, and kAmx a matrix unit for them. Only texts that
/// use them are compiled for these; others use their kAvx512 form.
enum class Isa { kBaseline, kAvx2, kAvx512, kAvx512Bf16, kAmx };

/// Returns "baseline", "avx2", "avx512", "avx512_bf16" or "amx".
[[nodiscard]] std::string_view name_of(Isa isa);
[[nodiscard]] std::optional<Isa> isa_from_name(std::string_view name);

/// The instruction sets that this CPU and its kernel allow, each an extension of the one before.
/// Detected by cpuid feature bits, not by model names. The first call asks the kernel for the use of
/// the matrix unit, for all threads of the process; a kernel that refuses it takes kAmx away.
[[nodiscard]] std::vector<Isa> usable_isas();

/// The flags for compiling a text at run time; the same as for the built-in texts.
[[nodiscard]] std::vector<std::string> compile_flags(Isa isa);

}  // namespace eflow::jit

EFLOW_EXPORT_END
