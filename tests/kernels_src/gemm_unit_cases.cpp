// The CPU text of GEMM on a matrix unit, as functions. Includes no standard header: an inline
// function instantiated here with AVX-512 could be linked into the whole test.

#include "eflow/tests/kernels_src/gemm_unit_cases.h"

#include "eflow/kernels_src/gemm/gemm.h"

namespace EFLOW_TEXT {
namespace {

template <class T, class O>
void run_text(const void* block, const void* args) {
  EFLOW_ENTER_BLOCK
  gemm<T, O>(*static_cast<const Block*>(block), *static_cast<const Gemm*>(args));
}

}  // namespace

extern const GemmUnitEntries kGemmEntries;
const GemmUnitEntries kGemmEntries = {run_text<bf16, float>, run_text<bf16, bf16>};

}  // namespace EFLOW_TEXT
