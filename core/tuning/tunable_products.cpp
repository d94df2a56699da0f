// cuBLASLt products for `eflow jit tune` and `eflow jit bench`.

#include "eflow/core/tuning/tunable_products.hpp"

#include "eflow/core/cuda/cublas_tuning.hpp"
#include "eflow/core/tuning/tunable_kernels.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow {

jit::KernelRef product_kernel(DType in, DType out, bool a_transposed, bool b_transposed,
                              ProductEnd end) {
  using namespace detail;
  // By ProductEnd.
  constexpr int kEpilogues[] = {0, kProductBias, kProductBias | kProductGelu,
                                kProductBias | kProductGelu | kProductAux,
                                kProductGeluGradient | kProductAux};
  return {kProduct,
          jit::KernelSpec(kProduct, {in, out},
                          {a_transposed, b_transposed, kEpilogues[static_cast<int>(end)]})};
}

jit::TunableKernel detail::tunable_product() {
  jit::TunableKernel out;
  out.definition.name = kProduct;
  out.sizes = {{"m", 1024}, {"n", 1024}, {"k", 1024}, {"problems", 1}};
  out.workload = [](jit::Runtime& runtime, const jit::KernelSpec& spec,
                    const std::vector<std::int64_t>& sizes) {
    const auto tuning = std::make_shared<CublasTuning>(runtime, spec, sizes);
    jit::Workload work;
    work.shape = tuning->shape();
    work.flops =
        2.0 * static_cast<double>(sizes[0] * sizes[1]) * static_cast<double>(sizes[2] * sizes[3]);
    work.launch = [tuning](const jit::KernelSpec& now) { tuning->launch(now); };
    work.clear = [tuning] { tuning->clear(); };
    work.result = [tuning] { return tuning->result(); };
    work.tolerance = tuning->tolerance();
    work.target = tuning;
    return work;
  };
  return out;
}

}  // namespace eflow
