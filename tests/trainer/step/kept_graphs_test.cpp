// The driver calls of training steps whose work runs as kept graphs. The driver only records; which
// work a step has does not depend on its results.
#define BOOST_TEST_MODULE kept_graphs
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/cuda/graphs.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;
using test::RecordingDriver;

namespace {

struct Session {
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  DevicePtr device;

  Session() {
    api.kernel_parameter = nullptr;  // the recorder supports one argument size only
    jit::Options options;
    options.cache.named = "";
    options.cuda = &api;
    options.nvrtc = EFLOW_FAKE_NVRTC;
    options.cublas_library = "off";
    options.device = "cuda";
    options.graphs = true;
    device = make_device(options);
  }
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

/// Runs a step until it is steady, which takes one step to see its work, one to reuse the memory of
/// another and one to capture it.
void settle(Session& s, test::TinyTraining& training) {
  for (int i = 0; i < 4; ++i) static_cast<void>(training.run.step());
  static_cast<void>(s.calls());
}

/// Checks that a step launches graphs and changes the parameters that have to change: those of a draw
/// for each of two micro-batches, and of the update, for the learning rate.
void check_steady(Session& s, test::TinyTraining& training, int graphs) {
  static_cast<void>(training.run.step());
  std::map<std::string, int> calls = s.calls();
  BOOST_TEST(calls["cuGraphLaunch"] == graphs);
  BOOST_TEST(calls["cuGraphExecKernelNodeSetParams"] == 3);
  for (const auto& [name, count] : calls) {
    const bool reads = name == "cuMemcpyDtoHAsync" || name == "cuStreamSynchronize";
    const bool steady = name == "cuGraphLaunch" || name == "cuGraphExecKernelNodeSetParams";
    BOOST_TEST((reads || steady || name.starts_with("cuCtx") || count == 0),
               name << " is called " << count << " times");
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_steady_step_launches_graphs_and_changes_parameters) {
  Session s;
  const test::DefaultDevice other(s.device);
  test::TinyTraining training(recipe(4)), smaller(recipe(2));
  static_cast<void>(training.run.step());
  static_cast<void>(s.calls());
  static_cast<void>(training.run.step());
  std::map<std::string, int> eager = s.calls();
  const int work =
      eager["cuLaunchKernelEx"] + eager["cuMemcpyHtoDAsync"] + eager["cuMemsetD8Async"];
  BOOST_TEST(work > 500);
  constexpr auto kMost = static_cast<int>(detail::CudaGraphs::kMostWork);
  const int graphs = (work + kMost - 1) / kMost;
  settle(s, training);
  for (int i = 0; i < 3; ++i) check_steady(s, training, graphs);

  // Batches of another size have graphs of their own; those of this size are still there.
  for (int i = 0; i < 4; ++i) static_cast<void>(smaller.run.step());
  const int executables = s.driver.graphs.executables;
  settle(s, training);
  check_steady(s, training, graphs);
  BOOST_TEST(s.driver.graphs.executables == executables);
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
      static_cast<void>(training.run.step());  // the graph is updated from another capture
    else
      BOOST_CHECK_THROW(static_cast<void>(training.run.step()), DeviceError);
    s.driver.failing.clear();
    settle(s, training);
    static_cast<void>(s.calls());
    static_cast<void>(training.run.step());
    std::map<std::string, int> calls = s.calls();
    BOOST_TEST(calls["cuLaunchKernelEx"] == 0, call);
    BOOST_TEST(calls["cuGraphLaunch"] > 0, call);
  }
}
