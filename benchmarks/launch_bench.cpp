// Host time of a launch on a GPU's device, apart from the driver's: what eflow adds to each.
//
//   launch_bench [LAUNCHES]
//
// Uses the device of EFLOW_DEVICE=cuda. With EFLOW_CUDA_DRIVER and EFLOW_NVRTC naming the libraries of
// build/.../tests that execute nothing it needs no GPU; the driver's part is then that of the stand-in. Prints
// nanoseconds per launch, the least of several rounds.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/cuda/context.hpp"
#include "eflow/jit/cuda/launch.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/kernels_src/args/elementwise.h"

namespace {

using namespace eflow;

/// Nanoseconds per launch of run(), which makes `launches`.
double nanoseconds(int launches, const std::function<void()>& run) {
  constexpr int kRounds = 30;
  double best = 1e9;
  for (int i = 0; i < kRounds; ++i) {
    const Stopwatch watch;
    run();
    best = std::min(best, watch.seconds());
  }
  return best / launches * 1e9;
}

void print(const char* what, double all, double driver) {
  std::printf("%-58s %8.0f ns, without the driver %8.0f ns\n", what, all,
              std::max(0.0, all - driver));
}

DevicePtr make(bool graphs) {
  jit::Options options = jit::Options::from_environment();
  if (options.device == "cpu") options.device = "cuda";
  options.graphs = graphs;
  return make_device(options);
}

/// y = x + x of 1000 elements: an element-wise kernel has some of the largest arguments.
struct Launch {
  Tensor x, y;
  args::Elementwise a{};
  jit::KernelSpec spec{"elementwise", {DType::kF32, DType::kF32}, {args::kAdd}};

  explicit Launch(const DevicePtr& device)
      : x(Tensor::zeros({1000}, DType::kF32, device)),
        y(Tensor::zeros({1000}, DType::kF32, device)) {
    a.y = y.data();
    for (const void*& operand : a.x) operand = x.data();
    a.operands = 2;
    a.inner = a.elements_per_block = 1000;
    a.outer = a.rows_per_block = 1;
    for (long long& step : a.inner_stride) step = 1;
  }
  void operator()(Device& device) const { device.launch("elementwise", spec, {.x = 1}, a); }
};

int run(int launches) {
  const NoGrad off;
  const DevicePtr eager = make(false);
  const Launch launch(eager);
  launch(*eager);
  eager->synchronize({});

  const auto context = eager->runtime().cuda_context();
  const jit::CudaContext::Current current(*context);
  const jit::CudaKernel* kernel =
      eager->runtime().find_cuda("elementwise", launch.spec, sizeof launch.a);
  const jit::CuLaunchConfig config{1,
                                   1,
                                   1,
                                   kernel->threads,
                                   1,
                                   1,
                                   kernel->shared_bytes,
                                   static_cast<jit::CuStream>(eager->stream().handle),
                                   nullptr,
                                   0};
  void* parameters[] = {const_cast<args::Elementwise*>(&launch.a)};
  const double driver = nanoseconds(launches, [&] {
    for (int i = 0; i < launches; ++i)
      static_cast<void>(context->api().launch(&config, kernel->function, parameters, nullptr));
    eager->synchronize({});
  });
  std::printf("%-58s %8.0f ns\n", "the driver's call", driver);
  print("an eager launch",
        nanoseconds(launches,
                    [&] {
                      for (int i = 0; i < launches; ++i) launch(*eager);
                      eager->synchronize({});
                    }),
        driver);
  print("an eager op: x + x, with memory for its result",
        nanoseconds(launches,
                    [&] {
                      for (int i = 0; i < launches; ++i) static_cast<void>(launch.x + launch.x);
                      eager->synchronize({});
                    }),
        driver);

  const DevicePtr gathers = make(true);
  Launch recorded(gathers);
  const auto step = [&] {
    gathers->begin_gathering();
    for (int i = 0; i < launches; ++i) recorded(*gathers);
    gathers->end_gathering();
    gathers->synchronize({});
  };
  for (int i = 0; i < 3; ++i) step();
  print("a launch of a kept graph: recorded, compared", nanoseconds(launches, step), 0);
  print("the same, all parameters changed",
        nanoseconds(launches,
                    [&] {
                      recorded.a.scalar[0] += 1;
                      step();
                    }),
        0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 2000);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "launch_bench: %s\n", e.what());
    return 1;
  }
}
