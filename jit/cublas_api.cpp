#include "eflow/jit/cublas_api.hpp"

#include <dlfcn.h>

#include <vector>

#include "eflow/base/error.hpp"
#include "eflow/jit/cuda_library.hpp"

namespace eflow::jit {
namespace {

template <class F>
bool bind(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  return function != nullptr;
}

bool bind_all(void* h, CublasApi& a) {
  return bind(h, "cublasLtCreate", a.create) && bind(h, "cublasLtDestroy", a.destroy) &&
         bind(h, "cublasLtGetStatusString", a.status_string) &&
         bind(h, "cublasLtGetVersion", a.version) &&
         bind(h, "cublasLtMatmulDescCreate", a.desc_create) &&
         bind(h, "cublasLtMatmulDescDestroy", a.desc_destroy) &&
         bind(h, "cublasLtMatmulDescSetAttribute", a.desc_set) &&
         bind(h, "cublasLtMatrixLayoutCreate", a.layout_create) &&
         bind(h, "cublasLtMatrixLayoutDestroy", a.layout_destroy) &&
         bind(h, "cublasLtMatrixLayoutSetAttribute", a.layout_set) &&
         bind(h, "cublasLtMatmulPreferenceCreate", a.preference_create) &&
         bind(h, "cublasLtMatmulPreferenceDestroy", a.preference_destroy) &&
         bind(h, "cublasLtMatmulPreferenceSetAttribute", a.preference_set) &&
         bind(h, "cublasLtMatmulAlgoGetHeuristic", a.heuristic) &&
         bind(h, "cublasLtMatmul", a.matmul);
}

}  // namespace

std::optional<CublasApi> open_cublas(const std::string& library, std::string& why) {
  const std::vector<std::string> paths =
      library.empty() ? cuda_library_paths("libcublasLt.so") : std::vector<std::string>{library};
  for (const std::string& path : paths) {
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      if (const char* error = dlerror(); why.empty() && error != nullptr) why = error;
      continue;
    }
    CublasApi api;
    if (bind_all(handle, api)) return api;
    why = str(path, " lacks functions that cuBLASLt 12 has");
  }
  why = str("no cuBLASLt (", why, "); install CUDA's libcublasLt, or name it in EFLOW_CUBLASLT");
  return std::nullopt;
}

}  // namespace eflow::jit
