// cuBLASLt products for `eflow jit tune` and `eflow jit bench`.

#include "eflow/core/product_trial.hpp"
#include "eflow/core/runnable_kernels.hpp"

namespace eflow {

jit::KernelRef product_kernel(DType in, DType out, bool a_transposed, bool b_transposed,
                              ProductEnd end) {
  using namespace detail;
  // By ProductEnd.
  constexpr int kEpilogues[] = {0, kProductBias, kProductBias | kProductGelu,
                                kProductBias | kProductGelu | kProductAux,
                                kProductGeluGradient | kProductAux};
  return {kProduct, jit::Spec(kProduct, {in, out},
                              {a_transposed, b_transposed, kEpilogues[static_cast<int>(end)]})};
}

jit::RunnableKernel detail::runnable_product() {
  jit::RunnableKernel out;
  out.definition.name = kProduct;
  out.sizes = {{"m", 1024}, {"n", 1024}, {"k", 1024}, {"problems", 1}};
  out.workload = [](jit::Runtime& runtime, const jit::Spec& spec,
                    const std::vector<std::int64_t>& sizes) {
    const auto trial = std::make_shared<ProductTrial>(runtime, spec, sizes);
    jit::Workload work;
    work.shape = trial->shape();
    work.flops =
        2.0 * static_cast<double>(sizes[0] * sizes[1]) * static_cast<double>(sizes[2] * sizes[3]);
    work.launch = [trial](const jit::Spec& now) { trial->launch(now); };
    work.clear = [trial] { trial->clear(); };
    work.result = [trial] { return trial->result(); };
    work.tolerance = trial->tolerance();
    work.subject = trial;
    return work;
  };
  return out;
}

}  // namespace eflow
