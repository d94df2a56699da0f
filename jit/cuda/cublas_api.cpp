#include "eflow/jit/cuda/cublas_api.hpp"

#include "eflow/jit/cuda/library.hpp"

namespace eflow::jit {
namespace {

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
         bind(h, "cublasLtMatmulAlgoCheck", a.algo_check) &&
         bind(h, "cublasLtMatmulAlgoConfigGetAttribute", a.algo_attribute) &&
         bind(h, "cublasLtMatmul", a.matmul);
}

}  // namespace

std::optional<CublasApi> open_cublas(const std::string& library, std::string& why) {
  CublasApi api;
  const auto take = [&](void* handle, const std::string&) { return bind_all(handle, api); };
  if (!open_cuda_library({.title = "cuBLASLt", .name = "libcublasLt", .variable = "EFLOW_CUBLASLT"},
                         library, take, why))
    return std::nullopt;
  return api;
}

std::optional<CublasApi> find_cublas(const CublasApi* given, const std::string& library,
                                     std::string& why) {
  if (given != nullptr) return *given;
  if (library != "off") return open_cublas(library, why);
  why = "disabled by EFLOW_CUBLASLT=off";
  return std::nullopt;
}

}  // namespace eflow::jit
