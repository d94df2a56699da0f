#pragma once
// Reverse-mode differentiation over the graph that ops record. A graph belongs to the thread that made it; different
// threads may record and differentiate different graphs at once.

#include <functional>
#include <vector>

#include "eflow/core/tensor.hpp"

namespace eflow {

/// While alive, ops of this thread record nothing: their results are leaves without gradients.
class NoGrad {
 public:
  explicit NoGrad(bool off = true);
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

[[nodiscard]] bool grad_enabled();

/// Adds d(output)/d(leaf) . seed to grad() of every leaf that requires a gradient, in a fixed order. The graph is
/// released on the way, each op's saved tensors as soon as its part is done.
/// seed: shape of output; default 1, then output must be a single element. Throws ShapeError, InvalidArgument.
void backward(const Tensor& output, const Tensor& seed = Tensor());

/// d(output)/d(input) . seed for each input, with no grad() touched; zeros where nothing depends on an input.
[[nodiscard]] std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs,
                                            const Tensor& seed = Tensor());

/// f(inputs), keeping only the inputs: backward runs f again to get at what its ops would have saved.
/// f must compute the same values when called again and may use parameters that require gradients, which it gets.
[[nodiscard]] Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                const std::vector<Tensor>& inputs);

}  // namespace eflow
