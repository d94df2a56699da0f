#pragma once
// Finds and opens libraries of the CUDA toolkit.

#include <dlfcn.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace eflow::jit {

/// Where libraries of CUDA are looked for, in this order.
struct CudaPlaces {
  std::string search_path = "";  ///< LD_LIBRARY_PATH: folders separated by ':'
  std::filesystem::path toolkits =
      "/usr/local";                   ///< has cuda and, newest first, cuda-13.0 and so on
  std::filesystem::path python = "";  ///< VIRTUAL_ENV: the packages nvidia/*/lib in it

  [[nodiscard]] static CudaPlaces from_environment();
};

/// Candidate paths, best first: files in these places, then names for the loader ("libnvrtc.so.13").
/// Names come last because they find whatever copy the process has loaded, such as PyTorch's. `name`
/// excludes the version: "libnvrtc.so".
[[nodiscard]] std::vector<std::string> cuda_library_paths(
    std::string_view name, const std::vector<std::string_view>& versions = {".13", ".12"},
    const CudaPlaces& places = CudaPlaces::from_environment());

/// A library of the toolkit, or one that is installed beside it.
struct CudaLibrary {
  std::string_view title = "";     ///< "NVRTC"
  std::string_view name = "";      ///< "libnvrtc"
  std::string_view variable = "";  ///< variable that overrides the path: "EFLOW_NVRTC"
  std::vector<std::string_view> versions = {".13", ".12"};  ///< of its file's name, newest first
  std::string_view least = "12";                            ///< oldest version that is usable
};
/// Opens `named` or, if empty, the first candidate for which `take(handle, path)` finds all
/// required functions, for the life of the process. Returns false and sets `why` if there is none.
[[nodiscard]] bool open_cuda_library(const CudaLibrary& library, const std::string& named,
                                     const std::function<bool(void*, const std::string&)>& take,
                                     std::string& why);

/// Looks up a function in an opened library. Returns false if it has no such symbol.
template <class F>
bool bind(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace eflow::jit
