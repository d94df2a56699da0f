// Built-in specialisations of gemm.h. KernelSpec("gemm", {dtype of a and b, dtype of c}).

#include "eflow/kernels_src/gemm/gemm.h"

#include "eflow/jit/builtin/entry.h"

#define EFLOW_GEMM(T, Y)                                                     \
  [] {                                                                       \
    eflow::jit::BuiltinEntry entry =                                         \
        EFLOW_ENTRY("gemm", ({kDTypeOf<T>, kDTypeOf<Y>}), ({}), gemm<T, Y>); \
    entry.shared_bytes = eflow::args::gemm_gpu_shared_bytes(sizeof(T));      \
    return entry;                                                            \
  }()

namespace EFLOW_TEXT {
namespace {

constexpr eflow::jit::BuiltinEntry kEntries[] = {EFLOW_GEMM(float, float),
                                                 EFLOW_GEMM(double, double), EFLOW_GEMM(bf16, bf16),
                                                 EFLOW_GEMM(bf16, float)};

}  // namespace

eflow::jit::BuiltinTable gemm_table() {
  return {kEntries, sizeof kEntries / sizeof kEntries[0]};
}

}  // namespace EFLOW_TEXT
