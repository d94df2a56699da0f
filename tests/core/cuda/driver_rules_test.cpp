// The driver that executes nothing refuses what a real one refuses: each case breaks rules of
// tests/support/cuda/do_nothing/rules.hpp and keeps them in the call next to it; the last one fails
// if a rule was never broken.
#define BOOST_TEST_MODULE driver_rules
#include <dlfcn.h>

#include <boost/test/unit_test.hpp>
#include <thread>
#include <vector>

#include "eflow/jit/cuda/api.hpp"
#include "eflow/tests/support/cuda/do_nothing/rules.hpp"

using namespace eflow;
using namespace eflow::driver_rules;

namespace {

const jit::CudaApi& api() {
  static const jit::CudaApi opened = [] {
    std::string why;
    const auto found = jit::open_cuda_api(EFLOW_DO_NOTHING_CUDA, why);
    BOOST_REQUIRE_MESSAGE(found, why);
    return *found;
  }();
  return opened;
}

long broken(int rule) {
  using Count = long(int);
  static auto* const count = [] {
    static_cast<void>(api());
    return reinterpret_cast<Count*>(
        dlsym(dlopen(EFLOW_DO_NOTHING_CUDA, RTLD_NOW | RTLD_NOLOAD), "eflow_driver_violations"));
  }();
  return count(rule);
}

/// The call, which is given its function of the driver, breaks exactly this rule.
template <class F>
void breaks(Name rule, F&& call) {
  BOOST_TEST_CONTEXT(kRules[rule].where << ": " << kRules[rule].text) {
    long others = -broken(rule);
    for (int i = 0; i < kRuleCount; ++i) others += broken(i);
    const long before = broken(rule);
    BOOST_TEST(call(api()) == kRules[rule].code);
    BOOST_TEST(broken(rule) == before + 1);
    others += broken(rule);
    for (int i = 0; i < kRuleCount; ++i) others -= broken(i);
    BOOST_TEST(others == 0);
  }
}
template <class F>
void allowed(F&& call) {
  BOOST_TEST(call(api()) == 0);
}

/// A current context, a stream, memory and a kernel.
struct Fixture {
  Fixture() {
    allowed([&](const auto& a) { return a.context_retain(&context, 0); });
    allowed([&](const auto& a) { return a.context_push(context); });
    allowed([&](const auto& a) { return a.stream_create(&stream, 1); });
    allowed([&](const auto& a) { return a.allocate(&memory, 256, stream); });
    allowed([&](const auto& a) {
      return a.library_load(&library, "", nullptr, nullptr, 0, nullptr, nullptr, 0);
    });
    jit::CuKernel kernel = nullptr;
    allowed([&](const auto& a) { return a.library_kernel(&kernel, library, "k"); });
    allowed([&](const auto& a) { return a.kernel_function(&function, kernel); });
  }
  ~Fixture() {
    allowed([&](const auto& a) { return a.release(memory, stream); });
    allowed([&](const auto& a) { return a.stream_destroy(stream); });
    allowed([&](const auto& a) { return a.context_pop(&context); });
  }

  jit::CuResult launch(const jit::CudaApi& a, jit::CuLaunchConfig config) const {
    config.stream = stream;
    const int argument = 0;
    void* arguments[] = {const_cast<int*>(&argument)};
    return a.launch(&config, function, arguments, nullptr);
  }
  void launch_breaks(Name rule, const jit::CuLaunchConfig& config) const {
    breaks(rule, [&](const auto& a) { return launch(a, config); });
  }
  void launch_is_allowed(const jit::CuLaunchConfig& config) const {
    allowed([&](const auto& a) { return launch(a, config); });
  }
  void begin(int mode = jit::cu::kCaptureThreadLocal) const {
    allowed([&](const auto& a) { return a.capture_begin(stream, mode); });
  }
  /// Ends a capture that a call invalidated.
  void end_invalidated() const {
    jit::CuGraph graph = nullptr;
    breaks(kInvalidated, [&](const auto& a) { return a.capture_end(stream, &graph); });
    BOOST_TEST(graph == nullptr);
  }

  jit::CuContext context = nullptr;
  jit::CuStream stream = nullptr;
  jit::CuAddress memory = 0;
  jit::CuLibrary library = nullptr;
  jit::CuFunction function = nullptr;
};

jit::CuEvent make_event() {
  jit::CuEvent event = nullptr;
  allowed([&](const auto& a) { return a.event_create(&event, 2); });
  return event;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_context_is_current) {
  jit::CuStream stream = nullptr;
  breaks(kNoContext, [&](const auto& a) { return a.stream_create(&stream, 1); });
  jit::CuContext context = nullptr;
  breaks(kUnpaired, [&](const auto& a) { return a.context_pop(&context); });
}

BOOST_FIXTURE_TEST_CASE(launches_are_within_limits, Fixture) {
  launch_is_allowed({0x7fffffff, 65535, 65535, 1024, 1, 1, 48 << 10, {}, {}, 0});
  launch_is_allowed({1, 1, 1, 16, 1, 64, 0, {}, {}, 0});
  launch_breaks(kEmptyGrid, {0, 1, 1, 32, 1, 1, 0, {}, {}, 0});
  launch_breaks(kEmptyGrid, {1, 1, 1, 32, 0, 1, 0, {}, {}, 0});
  launch_breaks(kGridX, {0x80000000, 1, 1, 32, 1, 1, 0, {}, {}, 0});
  launch_breaks(kGridYz, {1, 65536, 1, 32, 1, 1, 0, {}, {}, 0});
  launch_breaks(kGridYz, {1, 1, 65536, 32, 1, 1, 0, {}, {}, 0});
  launch_breaks(kBlockZ, {1, 1, 1, 1, 1, 65, 0, {}, {}, 0});
  launch_breaks(kThreads, {1, 1, 1, 1025, 1, 1, 0, {}, {}, 0});
  launch_breaks(kThreads, {1, 1, 1, 64, 17, 1, 0, {}, {}, 0});
  const jit::CuLaunchConfig large{1, 1, 1, 32, 1, 1, (48 << 10) + 1, stream, {}, 0};
  launch_breaks(kDynamicShared, large);
  breaks(kOptIn, [&](const auto& a) { return a.function_set_attribute(function, 8, 232449); });
  allowed([&](const auto& a) { return a.function_set_attribute(function, 8, 232448); });
  launch_is_allowed(large);
  breaks(kNoArguments, [&](const auto& a) { return a.launch(&large, function, nullptr, nullptr); });
}

BOOST_FIXTURE_TEST_CASE(unloaded_functions_are_not_launched, Fixture) {
  allowed([&](const auto& a) { return a.library_unload(library); });
  launch_breaks(kUnloaded, {1, 1, 1, 32, 1, 1, 0, {}, {}, 0});
  breaks(kUnloadedTwice, [&](const auto& a) { return a.library_unload(library); });
}

BOOST_AUTO_TEST_CASE(tensor_maps_have_shapes_that_the_copy_engine_takes) {
  struct Map {
    unsigned rank = 3;
    std::size_t address = 0x1000, offset = 0;
    unsigned long long sizes[5] = {64, 100, 4, 1, 1}, strides[4] = {128, 12800, 16, 16};
    unsigned box[5] = {64, 16, 1, 1, 1}, steps[5] = {1, 1, 1, 1, 1};
    jit::CuResult encode(const jit::CudaApi& a) const {
      alignas(64) char bytes[192];
      return a.tensor_map_encode(bytes + offset, jit::cu::kTensorMapBF16, rank,
                                 reinterpret_cast<void*>(address), sizes, strides, box, steps, 0, 0,
                                 0, 0);
    }
  };
  const auto refused = [](Name rule, auto&& change) {
    Map map;
    change(map);
    breaks(rule, [&](const auto& a) { return map.encode(a); });
  };
  allowed([](const auto& a) { return Map().encode(a); });
  refused(kMapAlignment, [](Map& m) { m.offset = 16; });
  refused(kMapAddress, [](Map& m) { m.address = 0x1008; });
  refused(kMapRank, [](Map& m) { m.rank = 6; });
  refused(kMapSizes, [](Map& m) { m.sizes[1] = 0; });
  refused(kMapSizes, [](Map& m) { m.sizes[2] = (1ull << 32) + 1; });
  refused(kMapStrides, [](Map& m) { m.strides[0] = 120; });
  refused(kMapStrides, [](Map& m) { m.strides[1] = 1ull << 40; });
  refused(kMapBox, [](Map& m) { m.box[1] = 257; });
  refused(kMapBox, [](Map& m) { m.box[0] = 0; });
  refused(kMapSteps, [](Map& m) { m.steps[1] = 9; });
  refused(kMapInner, [](Map& m) { m.box[0] = 36; });
}

BOOST_FIXTURE_TEST_CASE(memory_is_used_within_its_allocation, Fixture) {
  char host[512] = {};
  jit::CuAddress none = 0;
  breaks(kNoBytes, [&](const auto& a) { return a.allocate(&none, 0, stream); });
  allowed([&](const auto& a) { return a.copy_in(memory + 128, host, 128, stream); });
  breaks(kCopyIn, [&](const auto& a) { return a.copy_in(memory + 128, host, 129, stream); });
  allowed([&](const auto& a) { return a.copy_out(host, memory, 256, stream); });
  breaks(kCopyOut, [&](const auto& a) { return a.copy_out(host, memory, 257, stream); });
  breaks(kFill, [&](const auto& a) { return a.set_bytes(memory + 256, 0, 1, stream); });
  breaks(kFree, [&](const auto& a) { return a.release(memory + 16, stream); });
  jit::CuAddress other = 0;
  allowed([&](const auto& a) { return a.allocate(&other, 16, stream); });
  allowed([&](const auto& a) { return a.release(other, stream); });
  breaks(kFree, [&](const auto& a) { return a.release(other, stream); });
  void* pinned = nullptr;
  allowed([&](const auto& a) { return a.allocate_pinned(&pinned, 64); });
  allowed([&](const auto& a) { return a.release_pinned(pinned); });
  breaks(kFreeHost, [&](const auto& a) { return a.release_pinned(pinned); });
}

BOOST_FIXTURE_TEST_CASE(handles_are_not_used_after_their_destruction, Fixture) {
  jit::CuStream old = nullptr;
  allowed([&](const auto& a) { return a.stream_create(&old, 1); });
  allowed([&](const auto& a) { return a.stream_destroy(old); });
  breaks(kStreamHandle, [&](const auto& a) { return a.stream_synchronize(old); });
  breaks(kStreamHandle, [&](const auto& a) { return a.stream_destroy(old); });
  const jit::CuEvent event = make_event();
  // An event that was never recorded may be waited for.
  allowed([&](const auto& a) { return a.stream_wait(stream, event, 0); });
  allowed([&](const auto& a) { return a.event_synchronize(event); });
  allowed([&](const auto& a) { return a.event_destroy(event); });
  breaks(kEventHandle, [&](const auto& a) { return a.event_record(event, stream); });
  begin();
  jit::CuGraph graph = nullptr;
  allowed([&](const auto& a) { return a.capture_end(stream, &graph); });
  jit::CuGraphExec exec = nullptr;
  allowed([&](const auto& a) { return a.graph_instantiate(&exec, graph, 0); });
  allowed([&](const auto& a) { return a.graph_destroy(graph); });
  breaks(kGraphHandle, [&](const auto& a) { return a.graph_instantiate(&exec, graph, 0); });
  allowed([&](const auto& a) { return a.graph_launch(exec, stream); });
  allowed([&](const auto& a) { return a.graph_exec_destroy(exec); });
  breaks(kExecHandle, [&](const auto& a) { return a.graph_launch(exec, stream); });
}

BOOST_FIXTURE_TEST_CASE(parameters_of_a_graph_are_set_by_its_nodes, Fixture) {
  const int argument = 0;
  void* arguments[] = {const_cast<int*>(&argument)};
  const char host[16] = {};
  struct Captured {
    jit::CuGraph graph = nullptr;
    jit::CuGraphExec exec = nullptr;
    std::vector<jit::CuGraphNode> nodes;
  };
  const auto capture = [&] {
    Captured out;
    const auto note = [&](auto&& call) {
      allowed(call);
      int status = 0;
      std::size_t count = 0;
      const jit::CuGraphNode* last = nullptr;
      allowed([&](const auto& a) {
        return a.capture_info(stream, &status, nullptr, nullptr, &last, &count);
      });
      BOOST_REQUIRE(status == 1);
      BOOST_REQUIRE(count == 1);
      out.nodes.push_back(*last);
    };
    begin();
    note([&](const auto& a) { return launch(a, {1, 1, 1, 32, 1, 1, 0, {}, {}, 0}); });
    note([&](const auto& a) { return a.copy_in(memory, host, sizeof host, stream); });
    note([&](const auto& a) { return a.set_bytes(memory, 0, 16, stream); });
    allowed([&](const auto& a) { return a.capture_end(stream, &out.graph); });
    allowed([&](const auto& a) { return a.graph_instantiate(&out.exec, out.graph, 0); });
    return out;
  };
  const Captured one = capture(), other = capture();
  jit::CuKernelNode kernel{function, 1, 1, 1, 32, 1, 1, 0, arguments, nullptr, nullptr, nullptr};
  jit::CuCopyNode copy{};
  copy.from.memory_type = 1;
  copy.from.host = const_cast<char*>(host);
  copy.to.memory_type = 2;
  copy.to.device = memory;
  copy.width_bytes = sizeof host;
  copy.height = copy.depth = 1;
  jit::CuFillNode fill{memory, 0, 0, 1, 16, 1};
  allowed([&](const auto& a) { return a.graph_set_kernel(one.exec, one.nodes[0], &kernel); });
  allowed([&](const auto& a) { return a.graph_set_copy(one.exec, one.nodes[1], &copy, context); });
  allowed([&](const auto& a) { return a.graph_set_fill(one.exec, one.nodes[2], &fill, context); });
  breaks(kNodeGraph,
         [&](const auto& a) { return a.graph_set_kernel(one.exec, other.nodes[0], &kernel); });
  breaks(kNodeKind,
         [&](const auto& a) { return a.graph_set_kernel(one.exec, one.nodes[1], &kernel); });
  copy.to.device = memory + 256;
  breaks(kCopyIn,
         [&](const auto& a) { return a.graph_set_copy(one.exec, one.nodes[1], &copy, context); });
  copy.from.memory_type = 2;
  breaks(kNodeCopy,
         [&](const auto& a) { return a.graph_set_copy(one.exec, one.nodes[1], &copy, context); });
  fill.height = 2;
  breaks(kNodeFill,
         [&](const auto& a) { return a.graph_set_fill(one.exec, one.nodes[2], &fill, context); });
  allowed([&](const auto& a) { return a.graph_destroy(one.graph); });
  breaks(kNodeGraphGone,
         [&](const auto& a) { return a.graph_set_kernel(one.exec, one.nodes[0], &kernel); });
}

BOOST_FIXTURE_TEST_CASE(captures_are_begun_and_ended_in_order, Fixture) {
  jit::CuGraph graph = nullptr;
  breaks(kCaptureNone, [&](const auto& a) { return a.capture_end(stream, &graph); });
  breaks(kCaptureLegacy, [&](const auto& a) { return a.capture_begin(nullptr, 1); });
  begin();
  breaks(kCaptureTwice, [&](const auto& a) { return a.capture_begin(stream, 1); });
  std::thread([&] {
    breaks(kCaptureThread, [&](const auto& a) { return a.capture_end(stream, &graph); });
  }).join();
  launch_is_allowed({1, 1, 1, 32, 1, 1, 0, {}, {}, 0});
  breaks(kCapturedAllocation, [&](const auto& a) { return a.allocate(&memory, 16, stream); });
  breaks(kCapturedFree, [&](const auto& a) { return a.release(memory, stream); });
  allowed([&](const auto& a) { return a.capture_end(stream, &graph); });
  jit::CuGraphExec exec = nullptr;
  allowed([&](const auto& a) { return a.graph_instantiate(&exec, graph, 0); });
  begin();
  breaks(kCapturedGraph, [&](const auto& a) { return a.graph_launch(exec, stream); });
  allowed([&](const auto& a) { return a.capture_end(stream, &graph); });
}

BOOST_FIXTURE_TEST_CASE(unsafe_calls_invalidate_a_capture, Fixture) {
  char host[16];
  void* pinned = nullptr;
  jit::CuStream other = nullptr;
  allowed([&](const auto& a) { return a.stream_create(&other, 1); });
  const jit::CuEvent event = make_event();
  const auto invalidates = [&](Name rule, auto&& call) {
    begin();
    breaks(rule, call);
    end_invalidated();
  };
  invalidates(kSynchronize, [&](const auto& a) { return a.stream_synchronize(stream); });
  invalidates(kSynchronizeOther, [&](const auto& a) { return a.stream_synchronize(other); });
  invalidates(kSynchronizeEvent, [&](const auto& a) { return a.event_synchronize(event); });
  invalidates(kPinned, [&](const auto& a) { return a.allocate_pinned(&pinned, 16); });
  allowed([&](const auto& a) { return a.allocate_pinned(&pinned, 16); });
  invalidates(kReleasePinned, [&](const auto& a) { return a.release_pinned(pinned); });
  invalidates(kLoad, [&](const auto& a) {
    return a.library_load(&library, "", nullptr, nullptr, 0, nullptr, nullptr, 0);
  });
  invalidates(kPageable, [&](const auto& a) { return a.copy_out(host, memory, 16, stream); });
  allowed([&](const auto& a) { return a.event_record(event, other); });
  invalidates(kIsolation, [&](const auto& a) { return a.stream_wait(stream, event, 0); });

  // In relaxed mode, and for other threads, they are safe.
  begin();
  int mode = jit::cu::kCaptureRelaxed;
  allowed([&](const auto& a) { return a.exchange_capture_mode(&mode); });
  allowed([&](const auto& a) { return a.stream_synchronize(other); });
  allowed([&](const auto& a) { return a.exchange_capture_mode(&mode); });
  std::thread([&] { allowed([&](const auto& a) { return a.stream_synchronize(other); }); }).join();
  allowed([&](const auto& a) { return a.event_record(event, stream); });
  allowed([&](const auto& a) { return a.stream_wait(stream, event, 0); });
  jit::CuGraph graph = nullptr;
  allowed([&](const auto& a) { return a.capture_end(stream, &graph); });
  breaks(kQueryCaptured, [&](const auto& a) { return a.event_query(event); });
  breaks(kWaitCaptured, [&](const auto& a) { return a.event_synchronize(event); });
}

BOOST_AUTO_TEST_CASE(every_rule_was_broken) {
  for (int i = 0; i < kRuleCount; ++i)
    BOOST_TEST(broken(i) > 0, kRules[i].where << ": " << kRules[i].text << ": no case breaks it");
}
