// Built-in specialisations of gemm.h. KernelSpec("gemm" | "gemm_large", {dtype of a and b,
// dtype of c}).

#include "eflow/kernels_src/gemm/gemm.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_GEMM(name, tile, T, Y)                                                       \
  [] {                                                                                     \
    eflow::jit::BuiltinEntry entry =                                                       \
        EFLOW_ENTRY(#name, ({kDTypeOf<T>, kDTypeOf<Y>}), ({}), name<T, Y>);                \
    entry.shared_bytes = eflow::args::gemm_gpu_shared_bytes(eflow::args::tile, sizeof(T)); \
    return entry;                                                                          \
  }()
#define EFLOW_SMALL(T, Y) EFLOW_GEMM(gemm, kGemmTile, T, Y)
#define EFLOW_LARGE(T, Y) EFLOW_GEMM(gemm_large, kLargeGemmTile, T, Y)

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {
    EFLOW_SMALL(float, float), EFLOW_SMALL(double, double), EFLOW_SMALL(bf16, bf16),
    EFLOW_SMALL(bf16, float),  EFLOW_LARGE(float, float),   EFLOW_LARGE(bf16, bf16),
    EFLOW_LARGE(bf16, float)};

}  // namespace

eflow::jit::BuiltinTable gemm_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT
