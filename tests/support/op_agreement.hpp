#pragma once
// Compares every op of the registry on one device, values and gradients, with the CPU in f64.

#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/registry.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/op_check.hpp"
#include "eflow/tests/support/tolerance.hpp"

namespace eflow::test {

/// Samples create tensors on the default device.
inline Evaluation evaluate_on(const DevicePtr& device, const Sample& sample,
                              const std::vector<Values>& values, DType dtype,
                              const std::vector<bool>& wanted) {
  const DefaultDevice here(device);
  return evaluate(sample, values, dtype, wanted, device);
}

inline std::vector<bool> gradients_of(const OpEntry& op, const Sample& sample) {
  std::vector<bool> wanted;
  for (const Sample::Input& input : sample.inputs)
    wanted.push_back(op.differentiable && input.differentiable && input.integers.empty());
  return wanted;
}

inline void require_close(const Values& found, const Values& expected, Tolerance t,
                          const char* what) {
  const Difference d = difference(found, expected);
  BOOST_TEST(d.largest <= t.absolute + t.relative * d.scale,
             what << " differ by " << d.largest << " where the largest value is " << d.scale);
}

/// Checks one sample. t: tolerance of f32 products there (TF32), or of the dtype.
inline void check_agreement(const OpEntry& op, const Sample& sample, DType dtype, Tolerance t,
                            const DevicePtr& device) {
  const DevicePtr cpu = default_device();
  const std::vector<bool> wanted = gradients_of(op, sample);
  std::vector<Values> values;
  for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
    // Both sides start from the values rounded to the narrow type.
    values.push_back(make_input(sample.inputs[i], draw(sample, i), dtype, cpu).to_vector<double>());
  }
  const Evaluation expected = evaluate(sample, values, DType::kF64, wanted, cpu);
  const Evaluation found = evaluate_on(device, sample, values, dtype, wanted);
  BOOST_REQUIRE(found.outputs.size() == expected.outputs.size());
  for (std::size_t i = 0; i < found.outputs.size(); ++i)
    require_close(found.outputs[i], expected.outputs[i], t, "outputs");
  for (std::size_t i = 0; i < found.gradients.size(); ++i)
    require_close(found.gradients[i], expected.gradients[i], t, "gradients");
}

/// Ops built on matrix products: on a GPU those in f32 use TF32 unless configured otherwise.
inline bool multiplies_matrices(const OpEntry& op) {
  for (const char* name : {"matmul", "linear", "feed_forward", "attention", "glga"}) {
    if (op.name.find(name) != std::string_view::npos) return true;
  }
  return false;
}

/// All samples of one op on `device`.
inline void check_op(const OpEntry& op, const DevicePtr& device,
                     std::initializer_list<DType> dtypes) {
  constexpr Tolerance kTf32{2e-3, 2e-3};  // 10 bits of mantissa in the operands
  for (const Sample& sample : op.samples()) {
    for (const DType dtype : dtypes) {
      const Tolerance t =
          dtype == DType::kF32 && multiplies_matrices(op) ? kTf32 : tolerance_of(dtype);
      BOOST_TEST_CONTEXT(op.name << ": " << sample.label << ", " << dtype) {
        try {
          check_agreement(op, sample, dtype, t, device);
        } catch (const std::exception& e) {
          BOOST_ERROR(e.what());
        }
      }
    }
  }
}

/// All samples of all ops on `device`.
inline void check_all_ops(const DevicePtr& device, std::initializer_list<DType> dtypes) {
  for (const OpEntry& op : all_ops()) check_op(op, device, dtypes);
}

}  // namespace eflow::test
