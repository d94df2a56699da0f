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

/// The instruction set for this CPU's kernels unless told otherwise. It decides the last bits of
/// results, so ranks, restarts and other machines of the same kind must arrive at the same one:
/// features and maker decide, never a measurement.
[[nodiscard]] Isa default_isa();

/// The same for a CPU whose best set is `widest`; vendor: of cpuid leaf 0, such as "AuthenticAMD".
/// `widest`, but not kAvx512Bf16 where its dot products run at half the rate of f32, as on CPUs of
/// Intel; AMD's run at twice that rate.
[[nodiscard]] Isa default_isa(Isa widest, std::string_view vendor);

/// The flags for compiling a text at run time; the same as for the built-in texts.
[[nodiscard]] std::vector<std::string> compile_flags(Isa isa);

}  // namespace eflow::jit

EFLOW_EXPORT_END
