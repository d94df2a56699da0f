#pragma once
// Where a library of the CUDA toolkit may lie, and opening it.

#include <dlfcn.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {

/// Names for the loader first ("libnvrtc.so.13"), then what lies in the toolkits' usual places, newest toolkit first. `name`
/// is without its version: "libnvrtc.so".
[[nodiscard]] std::vector<std::string> cuda_library_paths(std::string_view name);

/// A library of which version 12 or later is needed.
struct CudaLibrary {
  std::string_view title;     ///< "NVRTC"
  std::string_view name;      ///< "libnvrtc"
  std::string_view variable;  ///< what names another one: "EFLOW_NVRTC"
};
/// Opens `named`, or where that is empty the first that lies somewhere, for the life of the process: the first of which
/// `take(handle, path)` finds all that it needs. False and why, in plain words.
[[nodiscard]] bool open_cuda_library(const CudaLibrary& library, const std::string& named,
                                     const std::function<bool(void*, const std::string&)>& take,
                                     std::string& why);

/// Looks a function up in an opened library; false where it has none of this name.
template <class F>
bool bind(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace eflow::jit
