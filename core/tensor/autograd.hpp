#pragma once
// Reverse-mode differentiation of the graph that ops record. Threads: a graph belongs to the thread
// that recorded it; different threads may record and differentiate different graphs concurrently.

#include <functional>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Disables recording on this thread during its lifetime (unless `off` is false): results of ops
/// are leaves without gradients. Nestable.
class NoGrad {
 public:
  explicit NoGrad(bool off = true);
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// Whether ops of this thread record, i.e. no NoGrad is active.
[[nodiscard]] bool grad_enabled();

/// Adds the vector-Jacobian product seed^T d(output)/d(leaf) to grad() of every leaf that requires
/// a gradient, in a fixed order. Releases the graph on the way: each op's saved tensors are freed
/// as soon as its vjp has run. seed: shape and dtype of output; if undefined it is 1, and output
/// must have one element. Throws ShapeError; InvalidArgument if output does not require a gradient,
/// its graph was released, or a saved tensor was modified in place.
void backward(const Tensor& output, const Tensor& seed = Tensor());

/// Called with a leaf once nothing will be added to its grad() any more.
using LeafDone = std::function<void(const Tensor& leaf)>;

/// The same, and calls done(leaf) for each leaf as soon as its gradient is complete, while the rest
/// is still to be computed: in time to send it on its way. The order of the calls follows from the
/// graph alone. done must not run backward().
void backward(const Tensor& output, const Tensor& seed, const LeafDone& done);

/// The leaves that require gradients and that `output` was computed from: those that backward() may
/// give gradients to, in an unspecified order.
[[nodiscard]] std::vector<Tensor> leaves_of(const Tensor& output);

/// Returns seed^T d(output)/d(input) for each input without changing any grad() and without
/// releasing the graph. The result is zero for an input that output does not depend on. Throws as
/// backward().
[[nodiscard]] std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs,
                                            const Tensor& seed = Tensor());

/// Computes f(inputs) and saves only the inputs: the backward pass runs f again to recompute the
/// tensors that its ops save (gradient checkpointing, arXiv 1604.06174). f must be deterministic.
/// It may use parameters that require gradients; they receive them. f is copied and kept until the
/// backward pass.
[[nodiscard]] Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                const std::vector<Tensor>& inputs);

}  // namespace eflow

EFLOW_EXPORT_END
