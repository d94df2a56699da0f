// The driver calls of training steps whose work runs as kept graphs. The driver only records; which
// work a step has does not depend on its results.
#define BOOST_TEST_MODULE kept_graphs
#include <boost/test/unit_test.hpp>

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

}  // namespace

BOOST_AUTO_TEST_CASE(a_steady_step_launches_graphs_and_changes_parameters) {
  Session s;
  const test::DefaultDevice other(s.device);
  test::TinyTraining training(recipe(4));
  for (int i = 0; i < 8; ++i) {
    static_cast<void>(training.run.step());
    std::string told;
    for (const auto& [name, n] : s.calls()) told += name + " " + std::to_string(n) + "  ";
    BOOST_TEST_MESSAGE(told);
  }
}
