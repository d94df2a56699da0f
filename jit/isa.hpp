#pragma once
// The instruction sets that kernel texts are compiled for when the library is built.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {

/// kAvx512Bf16 adds bf16 dot products; only texts that use them are compiled for it, the rest runs as kAvx512.
enum class Isa { kBaseline, kAvx2, kAvx512, kAvx512Bf16 };

/// "baseline", "avx2", "avx512", "avx512_bf16".
[[nodiscard]] std::string_view name_of(Isa isa);
[[nodiscard]] std::optional<Isa> isa_from_name(std::string_view name);

/// Those that both this build and this CPU have, best last. Found by cpuid feature bits, never by model names.
[[nodiscard]] std::vector<Isa> usable_isas();

/// What a C++ compiler is told to compile a text for it: the same flags as for the built-in texts.
[[nodiscard]] std::vector<std::string> compile_flags(Isa isa);

}  // namespace eflow::jit
