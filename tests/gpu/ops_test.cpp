// On a real GPU: every op of the registry, values and gradients, against the CPU in f64, and each
// launch twice with bit-identical results.
// Each op is a separate test case. scripts/gpu_check.sh runs each case in its own process, because
// an illegal access poisons the CUDA context and would fail every later case.
#define BOOST_TEST_MODULE gpu_ops
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/cuda/gpu_or_skip.hpp"
#include "eflow/tests/support/wide_rows.hpp"

using namespace eflow;
using test::GpuOrSkip;

BOOST_TEST_GLOBAL_FIXTURE(GpuOrSkip);

namespace {

void check_repeats(const OpEntry& op) {
  const Sample sample = op.samples()[0];
  const std::vector<bool> wanted = test::gradients_of(op, sample);
  std::vector<test::Values> values;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) values.push_back(test::draw(sample, i));
  const auto run = [&] {
    return test::evaluate_on(test::gpu(), sample, values, DType::kBF16, wanted);
  };
  const test::Evaluation a = run(), b = run();
  BOOST_TEST((a.outputs == b.outputs));
  BOOST_TEST((a.gradients == b.gradients));
}

/// Two test cases per op.
const bool registered = [] {
  using boost::unit_test::make_test_case;
  auto& suite = boost::unit_test::framework::master_test_suite();
  for (const OpEntry& op : all_ops()) {
    const std::string name(op.name);
    suite.add(make_test_case(
        [op] {
          test::check_op(op, test::gpu(), {DType::kF32, DType::kBF16});
        },
        name + "_agrees_with_the_cpu", __FILE__, __LINE__));
    suite.add(make_test_case([op] { check_repeats(op); }, name + "_repeats_to_the_bit", __FILE__,
                             __LINE__));
  }
  suite.add(make_test_case(
      [] {
        test::check_wide_rows(test::gpu(), {DType::kF32, DType::kBF16});
      },
      "wide_rows_agree_with_the_cpu", __FILE__, __LINE__));
  return true;
}();

}  // namespace
