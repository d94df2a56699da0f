#pragma once
// Where a library of the CUDA toolkit may lie.

#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {

/// Names for the loader first ("libnvrtc.so.13"), then what lies in the toolkits' usual places, newest toolkit first. `name`
/// is without its version: "libnvrtc.so".
[[nodiscard]] std::vector<std::string> cuda_library_paths(std::string_view name);

}  // namespace eflow::jit
