#pragma once
// Checks that launching an unprepared kernel during stream capture fails, and nothing else fails.

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "eflow/jit/cuda/context.hpp"
#include "eflow/jit/cuda/stream.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/bench.hpp"
#include "eflow/kernels_src/args/elementwise.h"

namespace eflow::test {

/// y = exp(y), prepared before the capture, then y = y + y, prepared during it.
inline void check_miss_while_capturing(const jit::Options& options) {
  jit::Runtime runtime(options);
  const auto context = runtime.cuda_context();
  const jit::CudaApi& api = context->api();
  const jit::CudaContext::Current current(*context);
  const jit::CudaStream stream(context);
  const auto check = [&](jit::CuResult code, const char* call) {
    context->check(code, call, "a test");
  };

  std::vector<float> y(1000, 0);
  const std::size_t bytes = y.size() * sizeof(float);
  jit::CuAddress memory{};
  check(api.allocate(&memory, bytes, stream.handle()), "cuMemAllocAsync");
  check(api.copy_in(memory, y.data(), bytes, stream.handle()), "cuMemcpyHtoDAsync");
  runtime.synchronize(stream.stream());
  const auto read = [&] {
    check(api.copy_out(y.data(), memory, bytes, stream.handle()), "cuMemcpyDtoHAsync");
    runtime.synchronize(stream.stream());
    return static_cast<double>(y.back());
  };

  args::Elementwise a{};
  a.y = reinterpret_cast<void*>(memory);
  a.inner = a.elements_per_block = static_cast<long long>(y.size());
  a.outer = a.rows_per_block = 1;
  for (const void*& x : a.x) x = a.y;
  for (long long& step : a.inner_stride) step = 1;
  const auto spec = [](args::Function f) {
    return jit::KernelSpec("elementwise", {DType::kF32, DType::kF32}, {f});
  };
  const auto launch = [&](args::Function f, int operands) {
    a.operands = operands;
    runtime.launch("elementwise", spec(f), {.x = 1}, a, stream.stream());
  };
  BOOST_REQUIRE(runtime.prepare({{"elementwise", spec(args::kExp)}})[0].ok());

  check(api.capture_begin(stream.handle(), jit::cu::kCaptureThreadLocal), "cuStreamBeginCapture");
  launch(args::kExp, 1);
  BOOST_CHECK_THROW(launch(args::kAdd, 2), jit::NeedsPrepare);
  int capturing = 0;
  check(api.stream_capturing(stream.handle(), &capturing), "cuStreamIsCapturing");
  BOOST_TEST(capturing == 1);
  BOOST_TEST(runtime.prepare({{"elementwise", spec(args::kAdd)}})[0].error == "");
  launch(args::kAdd, 2);
  jit::CuGraph graph{};
  check(api.capture_end(stream.handle(), &graph), "cuStreamEndCapture");
  jit::CuGraphExec executable{};
  check(api.graph_instantiate(&executable, graph, 0), "cuGraphInstantiate");
  BOOST_TEST(read() == 0);  // nothing has run yet

  double expected = 0;
  for (int replay = 0; replay < 2; ++replay) {
    check(api.graph_launch(executable, stream.handle()), "cuGraphLaunch");
    expected = 2 * std::exp(expected);
    BOOST_TEST(read() == expected, boost::test_tools::tolerance(1e-5));
  }
  check(api.graph_exec_destroy(executable), "cuGraphExecDestroy");
  check(api.graph_destroy(graph), "cuGraphDestroy");
  check(api.release(memory, stream.handle()), "cuMemFreeAsync");
  runtime.synchronize(stream.stream());
}

}  // namespace eflow::test
