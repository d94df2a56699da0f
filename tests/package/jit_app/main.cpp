// The JIT by itself: a kernel text of a program's own, compiled and run.
#include <cstdio>
#include <vector>

#include "eflow/jit/runtime.hpp"

namespace {

struct Args {
  const float* x;
  float* y;
  long long count;
};

constexpr char kText[] = R"(#pragma once
#include "eflow/kernels_src/tile/pack.h"
namespace EFLOW_TEXT {
struct Args { const float* x; float* y; Index count; };
template <class T, int kFactor>
void scale(const Block&, const Args& a) {
  each<T>(0, a.count, [&](auto i) { store(a.y, i, load<T>(a.x, i) * T(kFactor)); });
}
}
)";

}  // namespace

int main() {
  eflow::jit::Runtime runtime;
  runtime.add_text("acme/scale.h", kText);
  eflow::jit::KernelDefinition scale;
  scale.name = "scale";
  scale.text = "acme/scale.h";
  scale.expression = "scale<$t0, $c0>";
  runtime.define(scale);
  const eflow::jit::KernelSpec spec("scale", {eflow::DType::kF32}, {3});
  const auto made = runtime.prepare({{"scale", spec}});
  if (!made[0].ok()) {
    std::printf("%s\n", made[0].error.c_str());
    return 1;
  }
  const std::vector<float> x{1, 2, 3};
  std::vector<float> y(x.size());
  runtime.launch("scale", spec, {1, 1, 1}, Args{x.data(), y.data(), 3});
  std::printf("%g %g %g\n", double{y[0]}, double{y[1]}, double{y[2]});
  return y[2] == 9 ? 0 : 1;
}
