// Work of a step that is recorded and run as CUDA graphs, with a recording driver.
#define BOOST_TEST_MODULE cuda_graphs
#include "eflow/core/cuda/graphs.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <functional>

#include "eflow/core/tensor/device.hpp"

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

using namespace eflow;
using test::RecordingDriver;

#if defined(CUDA_VERSION)
static_assert(jit::cu::kCaptureThreadLocal == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
static_assert(jit::cu::kMemoryHost == CU_MEMORYTYPE_HOST);
static_assert(jit::cu::kMemoryDevice == CU_MEMORYTYPE_DEVICE);
static_assert(sizeof(jit::CuGraphUpdate) == sizeof(CUgraphExecUpdateResultInfo));
static_assert(sizeof(jit::CuKernelNode) == sizeof(CUDA_KERNEL_NODE_PARAMS_v2));
static_assert(offsetof(jit::CuKernelNode, parameters) ==
              offsetof(CUDA_KERNEL_NODE_PARAMS_v2, kernelParams));
static_assert(offsetof(jit::CuKernelNode, context) == offsetof(CUDA_KERNEL_NODE_PARAMS_v2, ctx));
static_assert(sizeof(jit::CuCopyNode) == sizeof(CUDA_MEMCPY3D_v2));
static_assert(offsetof(jit::CuCopyNode, from.memory_type) ==
              offsetof(CUDA_MEMCPY3D_v2, srcMemoryType));
static_assert(offsetof(jit::CuCopyNode, to.device) == offsetof(CUDA_MEMCPY3D_v2, dstDevice));
static_assert(offsetof(jit::CuCopyNode, width_bytes) == offsetof(CUDA_MEMCPY3D_v2, WidthInBytes));
static_assert(sizeof(jit::CuFillNode) == sizeof(CUDA_MEMSET_NODE_PARAMS_v1));
static_assert(offsetof(jit::CuFillNode, width) == offsetof(CUDA_MEMSET_NODE_PARAMS_v1, width));
#endif

namespace {

using Names = std::vector<std::string>;

/// Parameters of the sequence below.
struct Step {
  std::uint64_t seed = 0;
  const char* from = nullptr;
  char* to = nullptr;
  char* fill = nullptr;
  const void* factor = nullptr;
};

/// Kernels k0 and k1, a copy, a fill and a product, on a stream of the recording driver.
struct Session {
  static constexpr auto kStream = 0x77;
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  std::shared_ptr<const jit::CudaContext> context =
      std::make_shared<const jit::CudaContext>(api, 0);
  jit::CudaKernel kernels[2] = {{.function = reinterpret_cast<jit::CuFunction>(0x44),
                                 .threads = 128,
                                 .title = "k0 for sm_90a"},
                                {.function = reinterpret_cast<jit::CuFunction>(0x45),
                                 .threads = 256,
                                 .title = "k1 for sm_90a"}};
  char host[16] = "fifteen letters", device[16] = {}, filled[16] = {};
  detail::CudaGraphs graphs{
      context, reinterpret_cast<jit::CuStream>(kStream),
      [this](const detail::LibraryProduct&, jit::CuStream stream) {
        const jit::CuLaunchConfig config{1, 1, 1, 128, 1, 1, 0, stream, nullptr, 0};
        std::uint64_t args = 0;
        void* parameters[] = {&args};
        context->check(api.launch(&config, kernels[0].function, parameters, nullptr), "a product",
                       "a test");
      }};

  Session() { RecordingDriver::current = driver.primary; }

  [[nodiscard]] int count(const char* call) const { return driver.count(call); }
  void kernel(int which, std::uint64_t argument, std::int64_t blocks = 1) {
    graphs.record().add_kernel(kernels[which], {blocks, 1, 1}, &argument, sizeof argument);
  }
  void product(const void* a, long long rows = 8) {
    detail::LibraryProduct p{};
    p.g.a = a;
    p.g.m = rows;
    graphs.record().add_product(p);
  }
  /// Runs a sequence of five pieces. Returns the driver's calls.
  Names step(const Step& now = {}) {
    driver.calls.clear();
    graphs.begin();
    kernel(0, now.seed);
    graphs.record().add_copy(address(now.to != nullptr ? now.to : device),
                             now.from != nullptr ? now.from : host, sizeof host);
    graphs.record().add_fill(address(now.fill != nullptr ? now.fill : filled), sizeof filled);
    product(now.factor);
    kernel(1, 5);
    graphs.end();
    return driver.calls;
  }
  static jit::CuAddress address(void* p) { return reinterpret_cast<jit::CuAddress>(p); }
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const DeviceError& e) {
    return e.what();
  }
  return "";
}

const Names kOnlyLaunched{"cuCtxGetCurrent", "cuGraphLaunch"};

}  // namespace

BOOST_AUTO_TEST_CASE(a_sequence_is_issued_then_captured_then_only_launched) {
  Session s;
  s.step();
  BOOST_TEST(s.count("cuStreamBeginCapture") == 0);
  BOOST_TEST(s.count("cuLaunchKernelEx") == 3);
  BOOST_TEST(std::string(s.device) == "fifteen letters");
  s.step();
  BOOST_TEST(s.count("cuStreamBeginCapture") == 1);
  BOOST_TEST(s.count("cuGraphInstantiate") == 1);
  BOOST_TEST(s.count("cuGraphLaunch") == 1);
  for (int i = 0; i < 3; ++i) {
    std::memset(s.device, 0, sizeof s.device);
    std::memset(s.filled, 1, sizeof s.filled);
    BOOST_TEST(s.step() == kOnlyLaunched, boost::test_tools::per_element());
    BOOST_TEST(std::string(s.device) == "fifteen letters");
    BOOST_TEST(s.filled[15] == 0);
  }
  BOOST_TEST(s.graphs.counts().launched == 4);
  BOOST_TEST(s.graphs.counts().issued == 1);
  BOOST_TEST(s.driver.graphs.graphs == 1);
}

BOOST_AUTO_TEST_CASE(nothing_is_run_before_the_flush_or_without_work) {
  Session s;
  s.graphs.begin();
  s.graphs.flush();
  s.driver.calls.clear();
  s.kernel(0, 1);
  BOOST_TEST(s.graphs.gathering());
  BOOST_TEST(s.driver.calls.empty());
  s.graphs.flush();
  BOOST_TEST(s.count("cuLaunchKernelEx") == 1);
  s.driver.calls.clear();
  s.kernel(0, 1);
  s.graphs.abandon();
  s.graphs.end();
  BOOST_TEST(s.driver.calls.empty());
  BOOST_TEST(!s.graphs.gathering());
}

BOOST_AUTO_TEST_CASE(only_what_differs_is_given_to_the_driver) {
  Session s;
  for (int i = 0; i < 2; ++i) s.step();
  char other_host[16] = "other letters", other[16] = {}, other_filled[16] = {};
  const auto with = [](const char* call) {
    return Names{"cuCtxGetCurrent", call, "cuGraphLaunch"};
  };
  BOOST_TEST(s.step({.seed = 9}) == with("cuGraphExecKernelNodeSetParams"),
             boost::test_tools::per_element());
  BOOST_TEST(s.step({.seed = 9}) == kOnlyLaunched, boost::test_tools::per_element());
  BOOST_TEST(s.step({.seed = 9, .from = other_host}) == with("cuGraphExecMemcpyNodeSetParams"),
             boost::test_tools::per_element());
  BOOST_TEST(std::string(s.device) == "other letters");
  s.step({.seed = 9, .from = other_host, .to = other});
  BOOST_TEST(std::string(other) == "other letters");
  std::memset(other_filled, 1, sizeof other_filled);
  BOOST_TEST(s.step({.seed = 9, .from = other_host, .to = other, .fill = other_filled}) ==
                 with("cuGraphExecMemsetNodeSetParams"),
             boost::test_tools::per_element());
  BOOST_TEST(other_filled[0] == 0);
  BOOST_TEST(s.graphs.counts().parameters == 4);
  BOOST_TEST(s.graphs.counts().made == 1);
}

BOOST_AUTO_TEST_CASE(another_product_updates_the_graph_as_a_whole) {
  Session s;
  for (int i = 0; i < 2; ++i) s.step();
  s.step({.factor = s.host});
  BOOST_TEST(s.count("cuStreamBeginCapture") == 1);
  BOOST_TEST(s.count("cuGraphExecUpdate") == 1);
  BOOST_TEST(s.count("cuGraphInstantiate") == 0);
  BOOST_TEST(s.driver.graphs.graphs == 1);  // the one that names the nodes
  // Its nodes are still named by the graph that it was instantiated from.
  s.step({.seed = 3, .factor = s.host});
  BOOST_TEST(s.count("cuGraphExecKernelNodeSetParams") == 1);
  BOOST_TEST(s.count("cuStreamBeginCapture") == 0);
  BOOST_TEST(s.graphs.counts().updated == 1);
}

BOOST_AUTO_TEST_CASE(another_structure_is_another_sequence) {
  Session s;
  const auto run = [&](std::int64_t blocks, long long rows, std::size_t bytes) {
    s.driver.calls.clear();
    s.graphs.begin();
    s.kernel(0, 1, blocks);
    s.product(nullptr, rows);
    s.graphs.record().add_fill(Session::address(s.filled), bytes);
    s.graphs.end();
  };
  run(1, 8, 16);
  for (const auto& [blocks, rows, bytes] :
       {std::tuple{2, 8, 16}, std::tuple{1, 9, 16}, std::tuple{1, 8, 8}}) {
    run(blocks, rows, static_cast<std::size_t>(bytes));
    BOOST_TEST(s.count("cuStreamBeginCapture") == 0);
  }
  BOOST_TEST(s.graphs.counts().issued == 4);
  BOOST_TEST(s.graphs.kept() == 4U);
  for (int i = 0; i < 2; ++i) run(1, 8, 16);
  BOOST_TEST(s.driver.calls == kOnlyLaunched, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(equal_sequences_of_a_step_have_graphs_of_their_own) {
  Session s;
  for (int step = 0; step < 4; ++step) {
    s.driver.calls.clear();
    s.graphs.begin();
    for (const std::uint64_t layer : {1, 2, 3}) {
      s.kernel(0, layer);
      s.graphs.flush();
    }
    s.graphs.end();
  }
  BOOST_TEST(s.count("cuGraphLaunch") == 3);
  BOOST_TEST(s.count("cuGraphExecKernelNodeSetParams") == 0);
  BOOST_TEST(s.graphs.counts().made == 3);
}

BOOST_AUTO_TEST_CASE(the_device_begins_before_a_long_record_ends) {
  Session s;
  constexpr auto kMost = static_cast<int>(detail::CudaGraphs::kMostWork);
  s.graphs.begin();
  for (int i = 0; i < kMost; ++i) {
    BOOST_REQUIRE(s.driver.launches.empty());
    s.kernel(0, 1);
    s.graphs.added();
  }
  BOOST_TEST(s.count("cuLaunchKernelEx") == kMost);
  BOOST_TEST(s.graphs.record().empty());
}

BOOST_AUTO_TEST_CASE(the_number_of_kept_sequences_is_bounded) {
  Session s;
  const auto run = [&](std::int64_t blocks) {
    s.graphs.begin();
    s.kernel(0, 1, blocks);
    s.graphs.end();
  };
  constexpr auto kMost = static_cast<std::int64_t>(detail::CudaGraphs::kMostKept);
  for (std::int64_t shape = 1; shape <= 3 * kMost; ++shape) {
    for (int i = 0; i < 2; ++i) run(shape);
    run(1);  // the shape that is used again and again is kept
  }
  BOOST_TEST(s.graphs.kept() == detail::CudaGraphs::kMostKept);
  BOOST_TEST(s.graphs.counts().evicted == 2 * kMost);
  BOOST_TEST(s.driver.graphs.executables == static_cast<int>(kMost));
  BOOST_TEST(s.driver.graphs.graphs == static_cast<int>(kMost));
  BOOST_TEST(s.graphs.counts().made == 3 * kMost);
}

BOOST_AUTO_TEST_CASE(what_the_driver_does_not_change_is_made_again) {
  Session s;
  for (int i = 0; i < 2; ++i) s.step();
  // Parameters that it refuses: another capture, which updates the graph.
  s.driver.failing["cuGraphExecKernelNodeSetParams"] = 1;
  s.step({.seed = 1});
  BOOST_TEST(s.graphs.counts().updated == 1);
  // An update that it refuses: another graph.
  s.driver.failing["cuGraphExecUpdate"] = 910;
  s.step({.seed = 2});
  BOOST_TEST(s.graphs.counts().made == 2);
  BOOST_TEST(s.driver.graphs.executables == 1);
  BOOST_TEST(s.driver.graphs.graphs == 1);
  s.driver.failing.clear();
  s.step({.seed = 3});
  BOOST_TEST(s.count("cuGraphExecKernelNodeSetParams") == 1);
  BOOST_TEST(s.count("cuStreamBeginCapture") == 0);
}

BOOST_AUTO_TEST_CASE(nodes_that_the_driver_does_not_name_cost_a_capture) {
  Session unnamed;
  unnamed.driver.failing["cuStreamGetCaptureInfo"] = 1;
  for (const std::uint64_t seed : {1, 2, 3}) unnamed.step({.seed = seed});
  BOOST_TEST(unnamed.graphs.counts().made == 1);
  BOOST_TEST(unnamed.graphs.counts().updated == 1);
}

BOOST_AUTO_TEST_CASE(failures_are_told_and_leave_nothing) {
  for (const char* call :
       {"cuStreamBeginCapture", "cuLaunchKernelEx", "cuMemcpyHtoDAsync", "cuMemsetD8Async",
        "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphLaunch"}) {
    Session s;
    s.step();
    s.driver.failing[call] = 700;
    const std::string message = message_of([&] { s.step(); });
    BOOST_TEST(message.find(call) != std::string::npos, message);
    BOOST_TEST(message.find("ILLEGAL_ADDRESS") != std::string::npos, message);
    BOOST_TEST(!s.driver.graphs.thread_captures(), call);
    BOOST_TEST(s.driver.graphs.graphs == 0, call);
    BOOST_TEST(s.driver.graphs.executables == 0, call);
    BOOST_TEST(s.graphs.record().empty(), call);
    // It is usable again.
    s.driver.failing.clear();
    for (int i = 0; i < 2; ++i) s.step();
    BOOST_TEST(s.step() == kOnlyLaunched, boost::test_tools::per_element());
  }
  Session s;
  s.driver.failing["cuLaunchKernelEx"] = 700;
  BOOST_TEST(message_of([&] { s.step(); }).find("k0 for sm_90a, grid [1, 1, 1]") !=
             std::string::npos);
}

/// The recording driver, and with it the emulated GPU, refuse what the reference says.
BOOST_AUTO_TEST_CASE(fakes_refuse_what_a_driver_refuses) {
  RecordingDriver driver;
  const jit::CudaApi a = RecordingDriver::api();
  const auto stream = reinterpret_cast<jit::CuStream>(0x77);
  char memory[16];
  std::uint64_t argument = 0;
  void* parameters[] = {&argument};
  const auto function = reinterpret_cast<jit::CuFunction>(0x44);
  const jit::CuLaunchConfig config{1, 1, 1, 128, 1, 1, 0, stream, nullptr, 0};
  jit::CuGraphNode nodes[3];
  const auto capture = [&] {
    BOOST_REQUIRE(a.capture_begin(stream, jit::cu::kCaptureThreadLocal) == 0);
    int status = 0;
    const jit::CuGraphNode* last = nullptr;
    std::size_t count = 0;
    for (int i = 0; i < 3; ++i) {
      if (i == 0) BOOST_REQUIRE(a.launch(&config, function, parameters, nullptr) == 0);
      if (i == 1) BOOST_REQUIRE(a.copy_in(Session::address(memory), memory, 16, stream) == 0);
      if (i == 2) BOOST_REQUIRE(a.set_bytes(Session::address(memory), 0, 16, stream) == 0);
      BOOST_REQUIRE(a.capture_info(stream, &status, nullptr, nullptr, &last, &count) == 0);
      BOOST_REQUIRE(count == 1U);
      nodes[i] = *last;
    }
    jit::CuGraph graph{};
    BOOST_REQUIRE(a.capture_end(stream, &graph) == 0);
    return graph;
  };
  const auto refused = [&](int code, const char* rule) {
    BOOST_TEST(code != 0, rule);
    const char* text = nullptr;
    BOOST_REQUIRE(a.error_string(code, &text) == 0);
    BOOST_TEST(std::string(text).find(rule) != std::string::npos, text);
  };
  const jit::CuGraph graph = capture();
  const jit::CuGraphNode kernel = nodes[0], copy = nodes[1], fill = nodes[2];
  jit::CuGraphExec executable{};
  BOOST_REQUIRE(a.graph_instantiate(&executable, graph, 0) == 0);

  jit::CuKernelNode k{function, 1, 1, 1, 128, 1, 1, 0, parameters, nullptr, nullptr, nullptr};
  BOOST_TEST(a.graph_set_kernel(executable, kernel, &k) == 0);
  refused(a.graph_set_kernel(executable, copy, &k), "kind of a node");
  k.function = reinterpret_cast<jit::CuFunction>(0x99);
  driver.graphs.foreign.insert(k.function);
  refused(a.graph_set_kernel(executable, kernel, &k), "owning context");
  k.function = function;

  jit::CuCopyNode c{};
  c.from.memory_type = jit::cu::kMemoryHost;
  c.to.memory_type = jit::cu::kMemoryDevice;
  c.width_bytes = 16;
  c.height = c.depth = 1;
  BOOST_TEST(a.graph_set_copy(executable, copy, &c, driver.primary) == 0);
  c.from.memory_type = jit::cu::kMemoryDevice;
  refused(a.graph_set_copy(executable, copy, &c, driver.primary), "memory types");
  c.from.memory_type = jit::cu::kMemoryHost;
  c.height = 2;
  refused(a.graph_set_copy(executable, copy, &c, driver.primary), "several dimensions");
  c.height = 1;
  c.width_bytes = 0;
  refused(a.graph_set_copy(executable, copy, &c, driver.primary), "copies of nothing");

  jit::CuFillNode f{Session::address(memory), 0, 0, 1, 16, 1};
  BOOST_TEST(a.graph_set_fill(executable, fill, &f, driver.primary) == 0);
  f.height = 2;
  refused(a.graph_set_fill(executable, fill, &f, driver.primary), "height of a fill");

  const jit::CuGraph other = capture();
  refused(a.graph_set_kernel(executable, nodes[0], &k), "another graph");
  BOOST_TEST(a.graph_update(executable, other, nullptr) == 0);
  refused(a.graph_set_kernel(executable, nodes[0], &k), "another graph");
  BOOST_TEST(a.graph_set_kernel(executable, kernel, &k) == 0);
  BOOST_REQUIRE(a.capture_begin(stream, jit::cu::kCaptureThreadLocal) == 0);
  refused(a.capture_begin(stream, jit::cu::kCaptureThreadLocal), "captured already");
  refused(a.graph_launch(executable, stream), "launched into a stream that is captured");
  jit::CuGraph empty{};
  BOOST_REQUIRE(a.capture_end(stream, &empty) == 0);
  refused(a.graph_update(executable, empty, nullptr), "number of nodes");
  refused(a.capture_begin(nullptr, jit::cu::kCaptureThreadLocal), "legacy default stream");

  BOOST_TEST(a.graph_destroy(graph) == 0);
  refused(a.graph_set_kernel(executable, kernel, &k), "was destroyed");
  refused(a.graph_destroy(graph), "destroyed before");
  BOOST_TEST(a.graph_exec_destroy(executable) == 0);
  refused(a.graph_launch(executable, stream), "was destroyed");
}

BOOST_AUTO_TEST_CASE(a_device_records_launches_and_compiles_meanwhile) {
  if (!jit::find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  api.kernel_parameter = nullptr;  // the recorder supports one argument size only
  jit::Options options;
  options.cuda = &api;
  options.cublas_library = "off";
  options.device = "cuda";
  options.graphs = true;
  options.compile_timeout = std::chrono::minutes(10);
  const DevicePtr device = make_device(options);
  const NoGrad off;
  const Tensor x = Tensor::zeros({300}, DType::kF32, device);
  for (int step = 0; step < 3; ++step) {
    GatheredWork work(device);
    const int launches = driver.count("cuLaunchKernelEx");
    device->fill_zero(x.data(), 4, {});
    const Tensor y = exp(x);                                      // its kernel is not compiled yet
    const Tensor z = Tensor::zeros({5000}, DType::kF32, device);  // allocates once
    BOOST_TEST(driver.count("cuLaunchKernelEx") == launches);
    // Reading a result runs the recorded work: as it is, then captured, then as a graph.
    static_cast<void>(y.to_vector<float>());
    BOOST_TEST(driver.count("cuLaunchKernelEx") == (step == 0 ? 1 : 2));
    BOOST_TEST(driver.count("cuGraphLaunch") == step);
    work.finish();
  }
  {
    // An exception discards the recorded work; the device remains usable.
    const int fills = driver.count("cuMemsetD8Async"), launches = driver.count("cuGraphLaunch");
    {
      GatheredWork work(device);
      device->fill_zero(x.data(), 4, {});
    }
    BOOST_TEST(driver.count("cuMemsetD8Async") == fills);
    BOOST_TEST(driver.count("cuGraphLaunch") == launches);
    device->fill_zero(x.data(), 4, {});
    BOOST_TEST(driver.count("cuMemsetD8Async") == fills + 1);
  }
}
