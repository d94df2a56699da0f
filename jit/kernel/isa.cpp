#include "eflow/jit/kernel/isa.hpp"

#include <cstring>
#include <sstream>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "eflow/jit/builtin/isa_flags.inc"

namespace eflow::jit {
namespace {

/// Whether the CPU has AMX tiles and their bf16 product, and the kernel grants their registers. It
/// does so for the whole process, and refuses if a thread's alternate signal stack is too small for
/// them. [Linux, Documentation/arch/x86/xstate.rst]
bool matrix_unit_allowed() {
#if defined(__x86_64__) && defined(__linux__)
  static const bool allowed = [] {
    constexpr unsigned kTiles = 1u << 24, kBf16 = 1u << 22;
    constexpr long kRequestPermission = 0x1023, kTileData = 18;
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    return (d & kTiles) != 0 && (d & kBf16) != 0 &&
           ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  }();
  return allowed;
#else
  return false;
#endif
}

}  // namespace

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
    case Isa::kAmx:
      return "amx";
  }
  return "?";
}

std::optional<Isa> isa_from_name(std::string_view name) {
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16, Isa::kAmx}) {
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
      if (__builtin_cpu_supports("avx512bf16")) {
        out.push_back(Isa::kAvx512Bf16);
        if (matrix_unit_allowed()) out.push_back(Isa::kAmx);
      }
    }
  }
#endif
  return out;
}

Isa default_isa() {
  const Isa widest = usable_isas().back();
#if defined(__x86_64__)
  unsigned words[3] = {}, highest = 0;  // the vendor's 12 letters lie in ebx, edx, ecx
  if (__get_cpuid(0, &highest, &words[0], &words[2], &words[1]) == 0) return widest;
  char vendor[sizeof words];
  std::memcpy(vendor, words, sizeof words);
  return default_isa(widest, {vendor, sizeof vendor});
#else
  return widest;
#endif
}

Isa default_isa(Isa widest, std::string_view vendor) {
  const bool has_fast_dot = vendor == "AuthenticAMD" || vendor == "HygonGenuine";
  return widest == Isa::kAvx512Bf16 && !has_fast_dot ? Isa::kAvx512 : widest;
}

std::vector<std::string> compile_flags(Isa isa) {
  std::vector<std::string> out;
  std::istringstream words(std::string(flags_of(isa)));
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

}  // namespace eflow::jit
