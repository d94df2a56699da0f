// The GPU text of GEMM as functions, compiled for emulated GPUs. The CPU text is not compiled here;
// gemm_test.cpp runs it through the runtime.

#include "eflow/tests/kernels_src/gemm_gpu_cases.h"

#if defined(EFLOW_GPU)

#include "eflow/kernels_src/gemm/gemm.h"

namespace EFLOW_TEXT {
namespace {

template <class T, class O>
void run_text(const void* block, const void* args) {
  gemm<T, O>(*static_cast<const Block*>(block), *static_cast<const Gemm*>(args));
}
template <class T, class O>
void run_large(const void* block, const void* args) {
  gemm_large<T, O>(*static_cast<const Block*>(block), *static_cast<const Gemm*>(args));
}

}  // namespace

extern const GemmEntries kGemmEntries;
const GemmEntries kGemmEntries = {{run_text<float, float>},  {run_text<bf16, float>},
                                  {run_text<bf16, bf16>},    {run_text<double, double>},
                                  {run_large<float, float>}, {run_large<bf16, float>},
                                  {run_large<bf16, bf16>}};

}  // namespace EFLOW_TEXT

#endif
