// On a real GPU: every op of the registry, values and gradients, against the CPU in f64.
#define BOOST_TEST_MODULE gpu_ops
#include <boost/test/unit_test.hpp>

#include "support/gpu_or_skip.hpp"
#include "support/op_agreement.hpp"

using namespace eflow;
using test::GpuOrSkip;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

BOOST_AUTO_TEST_CASE(ops_agree_with_the_cpu) {
  test::check_all_ops(test::gpu(), {DType::kF32, DType::kBF16});
}

BOOST_AUTO_TEST_CASE(the_same_launch_gives_the_same_bits) {
  for (const OpEntry& op : all_ops()) {
    const Sample sample = op.samples()[0];
    const std::vector<bool> wanted = test::gradients_of(op, sample);
    std::vector<test::Values> values;
    for (std::size_t i = 0; i < sample.inputs.size(); ++i) values.push_back(test::draw(sample, i));
    const auto run = [&] {
      return test::evaluate_on(test::gpu(), sample, values, DType::kBF16, wanted);
    };
    const test::Evaluation a = run(), b = run();
    BOOST_TEST((a.outputs == b.outputs), op.name);
    BOOST_TEST((a.gradients == b.gradients), op.name);
  }
}
