// Every op of the registry on every one of its samples: gradients against central differences in
// f64, f32 and bf16 against f64, fused ops against their compositions, and the same bits for every
// number of threads.

#define BOOST_TEST_MODULE ops
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/tests/support/op_check.hpp"
#include "eflow/tests/support/tolerance.hpp"

namespace eflow {
namespace {

using test::Evaluation;
using test::Values;

/// Calls check(op, sample, values, differentiable inputs) for every sample of every op.
template <class Check>
void for_each_sample(Check&& check) {
  for (const OpEntry& op : all_ops()) {
    const std::vector<Sample> samples = op.samples();
    BOOST_TEST(!samples.empty(), op.name << " has no samples");
    for (const Sample& sample : samples) {
      std::vector<Values> values;
      std::vector<bool> wanted;
      for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
        values.push_back(test::draw(sample, i));
        wanted.push_back(op.differentiable && sample.inputs[i].differentiable &&
                         sample.inputs[i].integers.empty());
      }
      BOOST_TEST_CONTEXT(op.name << ": " << sample.label) {
        check(op, sample, values, wanted);
      }
    }
  }
}

void require_close(const Values& found, const Values& expected, test::Tolerance t,
                   const char* what) {
  const test::Difference d = test::difference(found, expected);
  BOOST_TEST(d.largest <= t.absolute + t.relative * d.scale,
             what << " differ by " << d.largest << " where the largest value is " << d.scale);
}

BOOST_AUTO_TEST_CASE(gradients_agree_with_central_differences) {
  const DevicePtr device = default_device();
  for_each_sample([&](const OpEntry& op, const Sample& sample, std::vector<Values>& values,
                      const std::vector<bool>& wanted) {
    if (!op.differentiable) {
      const Evaluation e = test::evaluate(sample, values, DType::kF64, wanted, device);
      for (const Values& g : e.gradients) BOOST_TEST(g.empty());
      return;
    }
    const Evaluation e = test::evaluate(sample, values, DType::kF64, wanted, device);
    const std::vector<bool> none(wanted.size(), false);
    constexpr double kStep = 1e-5;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!wanted[i]) continue;
      BOOST_REQUIRE_MESSAGE(e.gradients[i].size() == values[i].size(),
                            "input " << i << " got no gradient");
      // All elements of small inputs, a fixed selection of large ones.
      const std::size_t stride = values[i].size() / 64 + 1;
      for (std::size_t k = 0; k < values[i].size(); k += stride) {
        const double at = values[i][k];
        values[i][k] = at + kStep;
        const double up = test::evaluate(sample, values, DType::kF64, none, device).loss;
        values[i][k] = at - kStep;
        const double down = test::evaluate(sample, values, DType::kF64, none, device).loss;
        values[i][k] = at;
        const double slope = (up - down) / (2 * kStep);
        BOOST_TEST(std::abs(slope - e.gradients[i][k]) <= 1e-6 * (1 + std::abs(slope)),
                   "input " << i << " element " << k << ": gradient " << e.gradients[i][k]
                            << ", slope " << slope);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(narrow_dtypes_agree_with_f64) {
  const DevicePtr device = default_device();
  for_each_sample([&](const OpEntry&, const Sample& sample, std::vector<Values>& values,
                      const std::vector<bool>& wanted) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      BOOST_TEST_CONTEXT(dtype) {
        // Both sides start from values rounded to the narrow dtype.
        std::vector<Values> stored;
        for (std::size_t i = 0; i < values.size(); ++i) {
          stored.push_back(
              test::make_input(sample.inputs[i], values[i], dtype, device).to_vector<double>());
        }
        const Evaluation wide = test::evaluate(sample, stored, DType::kF64, wanted, device);
        const Evaluation narrow = test::evaluate(sample, stored, dtype, wanted, device);
        for (std::size_t i = 0; i < wide.outputs.size(); ++i) {
          require_close(narrow.outputs[i], wide.outputs[i], test::tolerance_of(dtype), "outputs");
        }
        for (std::size_t i = 0; i < wide.gradients.size(); ++i) {
          require_close(narrow.gradients[i], wide.gradients[i], test::tolerance_of(dtype),
                        "gradients");
        }
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(fused_ops_agree_with_their_compositions) {
  const DevicePtr device = default_device();
  for_each_sample([&](const OpEntry&, const Sample& sample, std::vector<Values>& values,
                      const std::vector<bool>& wanted) {
    if (!sample.reference) return;
    const Evaluation fused = test::evaluate(sample, values, DType::kF64, wanted, device);
    const Evaluation small_ops = test::evaluate(sample, values, DType::kF64, wanted, device, true);
    for (std::size_t i = 0; i < fused.outputs.size(); ++i) {
      require_close(fused.outputs[i], small_ops.outputs[i], {1e-10, 1e-10}, "outputs");
    }
    for (std::size_t i = 0; i < fused.gradients.size(); ++i) {
      require_close(fused.gradients[i], small_ops.gradients[i], {1e-10, 1e-10}, "gradients");
    }
  });
}

BOOST_AUTO_TEST_CASE(bits_do_not_depend_on_the_number_of_threads) {
  const DevicePtr one = make_cpu_device({.threads = 1}), three = make_cpu_device({.threads = 3});
  for_each_sample([&](const OpEntry&, const Sample& sample, std::vector<Values>& values,
                      const std::vector<bool>& wanted) {
    const DevicePtr before = default_device();
    set_default_device(one);
    const Evaluation a = test::evaluate(sample, values, DType::kF32, wanted, one);
    set_default_device(three);
    const Evaluation b = test::evaluate(sample, values, DType::kF32, wanted, three);
    set_default_device(before);
    BOOST_TEST(a.outputs == b.outputs);
    BOOST_TEST(a.gradients == b.gradients);
  });
}

BOOST_AUTO_TEST_CASE(an_input_that_wants_no_gradient_changes_nothing_for_the_others) {
  const DevicePtr device = default_device();
  for_each_sample([&](const OpEntry& op, const Sample& sample, std::vector<Values>& values,
                      const std::vector<bool>& wanted) {
    if (!op.differentiable || wanted.size() < 2) return;
    const Evaluation all = test::evaluate(sample, values, DType::kF64, wanted, device);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!wanted[i]) continue;
      std::vector<bool> only(wanted.size(), false);
      only[i] = true;
      const Evaluation e = test::evaluate(sample, values, DType::kF64, only, device);
      require_close(e.gradients[i], all.gradients[i], {1e-13, 1e-13}, "gradients");
    }
  });
}

}  // namespace
}  // namespace eflow
