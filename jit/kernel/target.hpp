#pragma once
// What a kernel is compiled for.

#include <cstdint>
#include <string>

namespace eflow::jit {

enum class Backend : std::uint8_t { kHost, kCuda };

/// A compile target: an instruction set of the CPU ("avx2", see name_of(Isa)) or a GPU architecture
/// ("sm_90a").
struct Target {
  Backend backend = Backend::kHost;
  std::string arch = "";
  friend bool operator==(const Target&, const Target&) = default;
};

}  // namespace eflow::jit
