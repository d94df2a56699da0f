// On a real GPU: training steps of the whole recipe agree with the CPU's, and captured as graphs
// with the uncaptured ones.
#define BOOST_TEST_MODULE gpu_training
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/stopwatch.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;
using test::GpuOrSkip;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

namespace {

struct Curve {
  std::vector<double> losses;
  std::vector<float> weights;
};

Curve train(const DevicePtr& device, int steps, const char* precision = "f32") {
  const test::DefaultDevice here(device);
  test::TinyTraining training(test::TinyTraining::config(precision));
  Curve curve;
  for (int i = 0; i < steps; ++i) curve.losses.push_back(training.run.step().loss);
  curve.weights = training.model->parameters()[3].second.to_vector<float>();
  return curve;
}

DevicePtr gpu_with_graphs(bool graphs) {
  jit::Options options = test::gpu()->runtime().options();
  options.graphs = graphs;
  return make_device(options);
}

}  // namespace

BOOST_DATA_TEST_CASE(fifty_steps_follow_the_cpu, boost::unit_test::data::make({"f32", "bf16"}),
                     precision) {
  const double near = std::string(precision) == "f32" ? 5e-3 : 2e-2;
  const Curve cpu = train(default_device(), 50, precision), gpu = train(test::gpu(), 50, precision);
  // Rounding differences (TF32, bf16) grow from step to step.
  for (std::size_t i = 0; i < cpu.losses.size(); ++i)
    BOOST_TEST(gpu.losses[i] == cpu.losses[i], boost::test_tools::tolerance(i < 5 ? near : 5e-2));
}

BOOST_AUTO_TEST_CASE(steps_repeat_to_the_bit) {
  const Curve a = train(test::gpu(), 5), b = train(test::gpu(), 5);
  BOOST_TEST((a.losses == b.losses));
  BOOST_TEST((a.weights == b.weights));
}

BOOST_AUTO_TEST_CASE(graphs_change_no_bit) {
  const Curve eager = train(gpu_with_graphs(false), 10), graphs = train(gpu_with_graphs(true), 10);
  BOOST_TEST((eager.losses == graphs.losses));
  BOOST_TEST((eager.weights == graphs.weights));
}

BOOST_AUTO_TEST_CASE(launches_cost_the_host_little) {
  const NoGrad off;
  const Tensor x = Tensor::zeros({1}, DType::kF32, test::gpu());
  static_cast<void>(exp(x));
  test::gpu()->synchronize({});
  constexpr int kLaunches = 2000;
  const Stopwatch watch;
  for (int i = 0; i < kLaunches; ++i) static_cast<void>(exp(x));
  const double issued = watch.seconds();
  test::gpu()->synchronize({});
  BOOST_TEST_MESSAGE("one-element op: " << 1e6 * issued / kLaunches << " us to issue, "
                                        << 1e6 * watch.seconds() / kLaunches << " us to complete");
  BOOST_TEST(issued > 0);
}
