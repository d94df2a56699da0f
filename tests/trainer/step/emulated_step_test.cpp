// Training steps of the whole recipe on an emulated GPU and on the CPU: the same draws, and the
// same losses within the rounding of TF32 or bf16.
#define BOOST_TEST_MODULE cuda_step
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/tests/support/cuda/emulated_gpu.hpp"
#include "eflow/tests/support/tiny_training.hpp"

using namespace eflow;

/// TF32 rounds factors to 10 bits, bf16 rounds factors and results to 7. Both devices round, but
/// sums in another order round differently.
BOOST_DATA_TEST_CASE(a_step_is_that_of_the_cpu, boost::unit_test::data::make({"f32", "bf16"}),
                     precision) {
  const double near = std::string(precision) == "f32" ? 2e-3 : 1e-2;
  const test::EmulatedGpu gpu;
  const trainer::Config config = test::TinyTraining::config(precision);
  test::TinyTraining cpu(config);
  const test::DefaultDevice other(gpu.device());
  test::TinyTraining emulated(config);
  for (int i = 0; i < 2; ++i) {
    const trainer::StepMetrics found = emulated.run.step();
    trainer::StepMetrics expected;
    {
      const test::DefaultDevice back(cpu.model->parameters()[0].second.device());
      expected = cpu.run.step();
    }
    BOOST_TEST(found.ids_hash == expected.ids_hash);
    BOOST_TEST(found.loss == expected.loss, boost::test_tools::tolerance(near));
    BOOST_TEST(found.grad_norm == expected.grad_norm, boost::test_tools::tolerance(5 * near));
    BOOST_TEST(found.fm_mse == expected.fm_mse, boost::test_tools::tolerance(near));
  }
  BOOST_TEST_MESSAGE(gpu.launches() << " launches, " << gpu.waits() << " waits in two steps");
  BOOST_TEST(gpu.device()->plan().bytes(MemoryUse::kMoments) > 0);
}

namespace {

/// Steps of a training run: losses and a weight, bit by bit.
struct Trained {
  std::vector<double> losses;
  std::vector<float> weights;
  friend bool operator==(const Trained&, const Trained&) = default;
};

trainer::Config with_everything() {
  trainer::Config c = test::TinyTraining::config("f32");
  c.train.accumulation = 2;
  c.optim.lr.warmup = 50;  // another learning rate at every step
  return c;
}

}  // namespace

/// Seeds, dropped tokens and the learning rate change from step to step, micro-batches accumulate, and
/// batches of another size come between. The last step is graphs that are kept, with changed
/// parameters.
BOOST_AUTO_TEST_CASE(graphs_change_no_bit_and_are_kept) {
  Trained eager;
  for (const bool graphs : {false, true}) {
    const test::EmulatedGpu gpu(graphs);
    const test::DefaultDevice other(gpu.device());
    trainer::Config small = with_everything();
    small.train.batch = 2;
    test::TinyTraining training(with_everything()), smaller(small);
    Trained found;
    int issued = 0;  // kernels of the last step
    for (const bool large : {true, true, false, false, true, true}) {
      const int before = gpu.calls("cuLaunchKernelEx");
      found.losses.push_back((large ? training : smaller).run.step().loss);
      issued = gpu.calls("cuLaunchKernelEx") - before;
    }
    BOOST_TEST((issued == 0) == graphs);
    found.weights = training.model->parameters()[3].second.to_vector<float>();
    BOOST_TEST((gpu.graphs() > 0) == graphs);
    if (graphs)
      BOOST_TEST((found == eager));
    else
      eager = found;
  }
}
