// Your own kernel, tuned: the number of elements per block is a constant of its text, and the tuner
// measures which value is fastest on this machine. The result is stored in the cache directory,
// where the second run finds it.
#include <cstdio>
#include <memory>

#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/tuner.hpp"

namespace jit = eflow::jit;

constexpr const char* kText = R"(#pragma once
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

struct Axpy {
  const float* x;
  float* y;
  double a;
  long long n;
};

template <class C, int kPerBlock>
void axpy(const Block& block, const Axpy& args) {
  const Index begin = block.x * kPerBlock;
  each<C>(begin, min_of<Index>(begin + kPerBlock, args.n), [&](auto i) {
    store(args.y, i, C(args.a) * load<C>(args.x, i));
  });
}

}  // namespace EFLOW_TEXT
)";

struct Axpy {
  const float* x;
  float* y;
  double a;
  long long n;
};

int main() {
  jit::Runtime runtime(jit::Options::from_environment());
  runtime.add_text("acme/scaled.h", kText);
  runtime.define({.name = "scaled",
                  .text = "acme/scaled.h",
                  .expression = "axpy<$t0, $c0>",
                  .space = {.tunables = {{"per_block", 0, {16384, 1024, 4096, 65536}}}}});
  const jit::KernelSpec plain("scaled", {eflow::DType::kF32}, {16384});

  const auto x = std::make_shared<std::vector<float>>(1 << 20, 2.0f);
  const auto y = std::make_shared<std::vector<float>>(x->size());
  const Axpy args{x->data(), y->data(), 3, static_cast<long long>(x->size())};
  const auto launch = [&](const jit::KernelSpec& spec) {
    const int per_block = spec.constants[0];
    runtime.launch("scaled", spec, {.x = (args.n + per_block - 1) / per_block}, args);
  };

  // The tuner runs launches of this size. It may overwrite the outputs, and compares them.
  jit::Workload workload{.shape = {args.n}, .launch = launch};
  use_host_output(workload, y);
  try {
    const jit::TuneOutcome tuned =
        tune(runtime, {"scaled", plain}, workload, {.race = {.budget_seconds = 2}});
    std::printf("%s; the best takes %.1f %% less time than the default\n",
                tuned.known ? "tuned in an earlier run" : "tuned now", 100 * tuned.record.gain);
  } catch (const eflow::Error& e) {
    std::printf("not tuned: %s\n", e.what());  // no compiler: use the default, if it is cached
  }

  const jit::KernelSpec best = runtime.tuned("scaled", plain, {args.n});
  const jit::Prepared prepared = runtime.prepare({{"scaled", best}})[0];
  if (!prepared.ok()) return std::fprintf(stderr, "%s\n", prepared.error.c_str()), 1;
  launch(best);
  std::printf("%d elements per block; 3 * 2 = %g\n", best.constants[0],
              static_cast<double>(y->back()));
  return y->front() == 6.0f && y->back() == 6.0f ? 0 : 1;
}
