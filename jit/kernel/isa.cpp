#include "eflow/jit/kernel/isa.hpp"

#include <sstream>

#include "eflow/jit/builtin/isa_flags.inc"

namespace eflow::jit {

std::string_view name_of(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return "baseline";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512_bf16";
  }
  return "?";
}

std::optional<Isa> isa_from_name(std::string_view name) {
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16}) {
    if (name_of(isa) == name) return isa;
  }
  return std::nullopt;
}

std::vector<Isa> usable_isas() {
  std::vector<Isa> out{Isa::kBaseline};
#if defined(__x86_64__)
  // Must list the features that jit/CMakeLists.txt enables for each set.
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    out.push_back(Isa::kAvx2);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
      out.push_back(Isa::kAvx512);
      if (__builtin_cpu_supports("avx512bf16")) out.push_back(Isa::kAvx512Bf16);
    }
  }
#endif
  return out;
}

std::vector<std::string> compile_flags(Isa isa) {
  std::vector<std::string> out;
  std::istringstream words(std::string(flags_of(isa)));
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

}  // namespace eflow::jit
