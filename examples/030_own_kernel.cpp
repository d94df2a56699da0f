// Your own kernel, outside the library: a text over the tile vocabulary, specialised at run time,
// compiled by the machine's C++ compiler (or loaded from the cache), and launched on all cores.
#include <cstdio>
#include <vector>

#include "eflow/jit/runtime.hpp"

namespace jit = eflow::jit;

// y = a x + y, with a as a compile-time constant. A text includes only other texts; each block
// processes one slice.
constexpr const char* kText = R"(#pragma once
#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

struct Axpy {
  const float* x;
  float* y;
  long long n, per_block;
};

template <class C, int kA>
void axpy(const Block& block, const Axpy& args) {
  const Index begin = block.x * args.per_block;
  const Index end = min_of(begin + args.per_block, args.n);
  each<C>(begin, end, [&](auto i) {
    store(args.y, i, C(kA) * load<C>(args.x, i) + load<C>(args.y, i));
  });
}

}  // namespace EFLOW_TEXT
)";

struct Axpy {
  const float* x;
  float* y;
  long long n, per_block;
};

int main() {
  jit::Runtime runtime(jit::Options::from_environment());
  runtime.add_text("acme/axpy.h", kText);
  runtime.define({.name = "axpy", .text = "acme/axpy.h", .expression = "axpy<$t0, $c0>"});

  const jit::KernelSpec spec("axpy", {eflow::DType::kF32}, {3});
  const jit::Prepared prepared = runtime.prepare({{"axpy", spec}})[0];
  if (!prepared.ok()) return std::fprintf(stderr, "%s\n", prepared.error.c_str()), 1;

  std::vector<float> x(1 << 20, 2.0f), y(x.size(), 1.0f);
  const Axpy args{x.data(), y.data(), static_cast<long long>(x.size()), 1 << 14};
  runtime.launch("axpy", spec, {.x = (args.n + args.per_block - 1) / args.per_block}, args);

  std::printf("axpy: %s in %.3f s; 3 * 2 + 1 = %g\n", std::string(name_of(prepared.origin)).c_str(),
              prepared.seconds, static_cast<double>(y.back()));
  return y.front() == 7.0f && y.back() == 7.0f ? 0 : 1;
}
