// The driver calls of training steps whose work runs as kept graphs. The driver only records; which
// work a step has does not depend on its results.
#define BOOST_TEST_MODULE kept_graphs
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/core/cuda/graphs.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/cuda/recorded_device.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;

namespace {

struct Session : test::RecordedDevice {
  Session()
      : RecordedDevice([this](jit::Options* options) {
          api.kernel_parameter = nullptr;  // the recorder supports one argument size only
          options->nvrtc = EFLOW_FAKE_NVRTC;
          options->graphs = true;
        }) {}
  /// Calls since the last time, by name.
  std::map<std::string, int> calls() {
    std::map<std::string, int> counts;
    for (const std::string& call : driver.calls) ++counts[call];
    driver.calls.clear();
    return counts;
  }
};

trainer::Config recipe(std::int64_t batch) {
  trainer::Config c = test::TinyTraining::config("bf16");
  c.train.batch = batch;
  c.train.accumulation = 2;
  c.optim.lr.warmup = 50;  // another learning rate at every step
  return c;
}

/// One step, for which the loader has read all clips: it reads two micro-batches ahead.
void step(test::TinyTraining& training) {
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  static_cast<void>(training.run.step());
}

/// Runs steps until they are steady, which takes one step to see its work, one to reuse the memory of
/// another and one to capture it.
void settle(Session& s, test::TinyTraining& training) {
  for (int i = 0; i < 4; ++i) step(training);
  static_cast<void>(s.calls());
}

/// Checks that a step launches graphs and changes the parameters that have to change: those of a draw
/// for each of two micro-batches, and of the update, for the learning rate. The clips of each
/// micro-batch are copied beside it.
void check_steady(Session& s, test::TinyTraining& training, int graphs) {
  step(training);
  std::map<std::string, int> calls = s.calls();
  const std::map<std::string, int> expected{
      {"cuGraphLaunch", graphs}, {"cuGraphExecKernelNodeSetParams", 3},
      {"cuMemcpyHtoDAsync", 2},  {"cuEventRecord", 4},
      {"cuStreamWaitEvent", 4},  {"cuEventQuery", 2}};
  for (const auto& [name, count] : expected) BOOST_TEST(calls[name] == count, name);
  for (const auto& [name, count] : calls) {
    const bool reads = name == "cuMemcpyDtoHAsync" || name == "cuStreamSynchronize";
    BOOST_TEST((reads || expected.contains(name) || name.starts_with("cuCtx") || count == 0),
               name << " is called " << count << " times");
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_steady_step_launches_graphs_and_changes_parameters) {
  Session s;
  const test::DefaultDevice other(s.device);
  test::TinyTraining training(recipe(4)), smaller(recipe(2));
  step(training);
  static_cast<void>(s.calls());
  step(training);
  std::map<std::string, int> eager = s.calls();
  const int work =
      eager["cuLaunchKernelEx"] + eager["cuMemcpyHtoDAsync"] + eager["cuMemsetD8Async"];
  BOOST_TEST(work > 500);
  constexpr auto kMost = static_cast<int>(detail::CudaGraphs::kMostWork);
  const int graphs = (work + kMost - 1) / kMost;
  settle(s, training);
  for (int i = 0; i < 3; ++i) check_steady(s, training, graphs);

  // Batches of another size have graphs of their own; those of this size are still there.
  for (int i = 0; i < 4; ++i) step(smaller);
  const int executables = s.driver.graphs.executables;
  settle(s, training);
  check_steady(s, training, graphs);
  BOOST_TEST(s.driver.graphs.executables == executables);
}

/// The clips of the next step are copied, on another stream, before the host waits for this one.
BOOST_AUTO_TEST_CASE(clips_are_uploaded_while_the_device_computes) {
  Session s;
  const test::DefaultDevice other(s.device);
  test::TinyTraining training(recipe(4));
  settle(s, training);
  s.driver.ordered.clear();
  step(training);
  const std::vector<std::string>& calls = s.driver.calls;
  const auto last = [&](const char* name) {
    return std::find(calls.rbegin(), calls.rend(), name) - calls.rbegin();
  };
  // Counted from the end.
  BOOST_TEST(last("cuMemcpyHtoDAsync") > last("cuStreamSynchronize"));
  for (const auto& [call, stream, event] : s.driver.ordered) {
    if (call == "cuMemcpyHtoDAsync") BOOST_TEST((stream != s.device->stream().handle));
  }
}

BOOST_AUTO_TEST_CASE(a_failure_in_a_step_leaves_the_device_usable) {
  for (const char* call :
       {"cuGraphLaunch", "cuGraphExecKernelNodeSetParams", "cuStreamSynchronize"}) {
    Session s;
    const test::DefaultDevice other(s.device);
    test::TinyTraining training(recipe(4));
    settle(s, training);
    s.driver.failing[call] = 700;
    if (std::string(call) == "cuGraphExecKernelNodeSetParams")
      step(training);  // the graph is updated from another capture
    else
      BOOST_CHECK_THROW(step(training), DeviceError);
    s.driver.failing.clear();
    settle(s, training);
    static_cast<void>(s.calls());
    step(training);
    std::map<std::string, int> calls = s.calls();
    BOOST_TEST(calls["cuLaunchKernelEx"] == 0, call);
    BOOST_TEST(calls["cuGraphLaunch"] > 0, call);
  }
}
