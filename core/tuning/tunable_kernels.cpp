#include "eflow/core/tuning/tunable_kernels.hpp"

#include "eflow/core/attention/tunable_glga.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/noise.hpp"
#include "eflow/core/ops/gemm.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/core/tuning/tunable_products.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/kernels_src/args/gemm.h"

namespace eflow {
namespace {

using jit::Workload;
using Sizes = std::vector<std::int64_t>;

/// Returns an operand filled with noise.
template <class T>
std::vector<T> operand(std::int64_t count) {
  std::vector<T> out(static_cast<std::size_t>(count));
  fill_with_noise(std::span(out), 12345);
  return out;
}

template <class T, class O>
Workload gemm_workload(jit::Runtime& runtime, const Sizes& sizes) {
  struct Operands {
    std::vector<T> a, b;
    args::Gemm args{};
  };
  const std::int64_t m = sizes[0], n = sizes[1], k = sizes[2], problems = sizes[3];
  const auto o = std::make_shared<Operands>();
  const auto c = std::make_shared<std::vector<O>>(static_cast<std::size_t>(problems * m * n));
  o->a = operand<T>(problems * m * k);
  o->b = operand<T>(problems * k * n);
  args::Gemm& g = o->args;
  g.a = o->a.data();
  g.b = o->b.data();
  g.c = c->data();
  g.alpha = 1;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a_rs = k;
  g.a_cs = g.b_cs = 1;
  g.b_rs = g.c_rs = n;
  g.batch[0] = 1;
  g.batch[1] = problems;
  g.a_bs[1] = m * k;
  g.b_bs[1] = k * n;
  g.c_bs[1] = m * n;
  Workload out{.shape = {m, n, k, problems},
               .flops = 2.0 * static_cast<double>(m * n) * static_cast<double>(k * problems),
               .launch =
                   [&runtime, o](const jit::KernelSpec& spec) {
                     args::Gemm now = o->args;
                     const args::GemmGrid grid = args::gemm_grid(now, runtime.pool().size());
                     runtime.launch("gemm", spec, {grid.x, grid.y, grid.z}, now);
                   },
               .clear = {},
               .result = {},
               .tolerance = sizeof(O) == 2 ? 1e-2 : 1e-5};
  use_host_output(out, c);
  return out;
}

Workload make_gemm(jit::Runtime& runtime, const jit::KernelSpec& spec, const Sizes& sizes) {
  if (runtime.target().backend != jit::Backend::kHost) {
    throw InvalidArgument(
        "[gemm] only the CPU's kernel has configs; tune a GPU's products as "
        "cublaslt<in, out>(...), see docs/cuda.md");
  }
  const auto a = static_cast<DType>(spec.dtypes[0]), c = static_cast<DType>(spec.dtypes[1]);
  if (a == DType::kF32 && c == a) return gemm_workload<float, float>(runtime, sizes);
  if (a == DType::kF64 && c == a) return gemm_workload<double, double>(runtime, sizes);
  if (a == DType::kBF16 && c == a) return gemm_workload<bfloat16, bfloat16>(runtime, sizes);
  if (a == DType::kBF16 && c == DType::kF32) return gemm_workload<bfloat16, float>(runtime, sizes);
  throw InvalidArgument(str("[gemm] no kernel for ", to_string(spec, "gemm"),
                            "; expected f32, f32; f64, f64; bf16, bf16 or bf16, f32"));
}

}  // namespace

std::vector<jit::TunableKernel> tunable_kernels() {
  std::vector<jit::TunableKernel> out = detail::tunable_glga();
  out.insert(out.begin(), {.definition = detail::gemm_definition(),
                           .sizes = {{"m", 512}, {"n", 512}, {"k", 512}, {"problems", 1}},
                           .workload = make_gemm,
                           .default_config = {}});
  out.push_back(detail::tunable_product());
  return out;
}

}  // namespace eflow
