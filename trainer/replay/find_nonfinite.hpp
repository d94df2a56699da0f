#pragma once
// Finds the first op of a computation whose result is not finite although its inputs are.

#include <functional>
#include <optional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// A value that is infinite or NaN.
struct NonFinite {
  std::string op = {};         ///< "linear", "mul in the backward pass", "gradient of linear"
  std::string parameter = {};  ///< of the op, or the last one used before it; "" if there is none
  std::string value = {};      ///< "output 0, [4, 32] f32: 3 of 128 values are not finite"
  std::string inputs = {};     ///< the largest magnitudes among the op's inputs
};

/// Runs f() and returns the first op, in order of execution on this thread, that has a result which
/// is not finite although all of its inputs are. `parameters` gives their names. An op without inputs
/// counts. nullopt if there is none; what f() throws passes.
[[nodiscard]] std::optional<NonFinite> find_nonfinite(const nn::NamedTensors& parameters,
                                                      const std::function<void()>& f);

/// Describes the values that are not finite, "3 of 128 values are not finite"; "" if all are finite
/// or the tensor is undefined or not of a floating dtype.
[[nodiscard]] std::string describe_nonfinite(const Tensor& tensor);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
