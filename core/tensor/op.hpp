#pragma once
// How an op is declared: an OpDef in core/ops with four functions. infer checks the inputs and
// returns the output specs, forward launches kernel texts, vjp computes the gradients, and samples
// returns inputs that cover the edge cases. The op tests run every op of registry.hpp on its
// samples.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/tensor.hpp"

namespace eflow {

using Tensors = std::vector<Tensor>;

namespace detail {
/// Returns t outside the graph, with the current version of its memory; undefined stays undefined.
[[nodiscard]] Tensor saved_handle(const Tensor& t);
/// Throws InvalidArgument if the memory of a saved tensor was written in place since
/// saved_handle().
void require_unchanged(std::string_view op, std::span<const Tensor> saved);
}  // namespace detail

/// One evaluation of an op: the inputs and outputs of forward, and the state it keeps for the vjp.
template <class Attrs>
class Call {
 public:
  Call(Attrs a, std::span<const Tensor> x) : attrs(std::move(a)), inputs(x) {
    for (const Tensor& t : x) {
      in.push_back(t.defined() ? t.spec() : TensorSpec{});
      needs.push_back(t.defined() && t.requires_grad());
    }
  }

  Attrs attrs;
  std::span<const Tensor> inputs;  ///< in forward only
  Tensors outputs;             ///< in forward only: allocated from infer; empty if infer is nullptr
  std::vector<TensorSpec> in;  ///< shapes and dtypes of the inputs
  std::vector<bool> needs;  ///< inputs that require a gradient; the vjp leaves the others undefined
  Tensors saved;            ///< tensors for the vjp; no others are kept

  /// Appends a tensor to `saved`, outside the graph, if the op is being recorded.
  void save(const Tensor& t) {
    if (recording) saved.push_back(detail::saved_handle(t));
  }
  bool recording = false;  ///< whether the vjp may run
};

/// A test case of an op: specs of its inputs, and a function that runs the op on them.
struct Sample {
  struct Input {
    Shape shape = {};
    double low = -1, high = 1;  ///< values are drawn uniformly from [low, high]
    bool differentiable = true;
    std::vector<std::int64_t> integers = {};  ///< if not empty: the values, as i64
  };
  std::string label = {};
  std::vector<Input> inputs = {};
  std::function<Tensors(const Tensors&)> run = {};
  /// For a fused op: the same function composed of elementary ops, as a test oracle.
  std::function<Tensors(const Tensors&)> reference = {};
  /// Minimum distance of values from 0, for ops with a kink there: finite differences across it are
  /// wrong.
  double keep_from_zero = 0;
};

/// Declaration of an op with attributes of type Attrs. A constant with static storage duration:
/// recorded graphs refer to it.
template <class Attrs>
struct OpDef {
  std::string_view name = {};
  /// Returns shapes and dtypes of the outputs. Throws ShapeError, InvalidArgument for invalid
  /// inputs. nullptr: forward creates the outputs itself, as views.
  std::vector<TensorSpec> (*infer)(std::span<const Tensor> x, const Attrs& attrs) = nullptr;
  /// Computes the outputs and saves the tensors that vjp reads.
  void (*forward)(Call<Attrs>& call) = nullptr;
  /// Returns the gradients of the inputs, given those of the outputs. An undefined dy means zero;
  /// at least one is defined. Runs without recording. nullptr: not differentiable.
  Tensors (*vjp)(const Call<Attrs>& call, std::span<const Tensor> dy) = nullptr;
  /// Returns the test cases.
  std::vector<Sample> (*samples)() = nullptr;
};

/// The vjp of an op without a useful derivative; must be stated explicitly.
template <class Attrs>
inline constexpr Tensors (*kNotDifferentiable)(const Call<Attrs>&,
                                               std::span<const Tensor>) = nullptr;

/// Attributes of an op that has none.
struct NoAttrs {};

namespace detail {

/// A recorded vjp with its call bound.
using Vjp = std::function<Tensors(std::span<const Tensor> dy)>;
/// Adds an op to the graph: sets it as the maker of `outputs`, with edges to `inputs`. An output
/// that already belongs to the graph is replaced by a view with a node of its own.
void record(std::string_view name, std::span<const Tensor> inputs, Tensors& outputs, Vjp vjp);
/// Whether recording is enabled and an input requires a gradient.
[[nodiscard]] bool wants_recording(std::span<const Tensor> inputs);
/// Notes the leaves that the differentiable ops of this thread use while recording is disabled and
/// this lives. Nestable: the innermost one notes them.
class UnrecordedLeaves {
 public:
  UnrecordedLeaves();
  ~UnrecordedLeaves();
  UnrecordedLeaves(const UnrecordedLeaves&) = delete;
  UnrecordedLeaves& operator=(const UnrecordedLeaves&) = delete;
  /// Those that require gradients, each once, in the order of their first use.
  [[nodiscard]] const std::vector<std::shared_ptr<TensorNode>>& all() const { return all_; }

 private:
  friend bool wants_recording(std::span<const Tensor> inputs);
  void note(std::span<const Tensor> inputs);
  UnrecordedLeaves* outer_;
  std::vector<std::shared_ptr<TensorNode>> all_;
};
/// Allocates outputs on the inputs' device. Throws InvalidArgument if the inputs are on different
/// devices.
[[nodiscard]] Tensors allocate_outputs(std::span<const Tensor> inputs,
                                       const std::vector<TensorSpec>& specs);
/// Tells this thread's OpWatch, if there is one, about an op that ran.
void report_forward(std::string_view op, std::span<const Tensor> inputs,
                    std::span<const Tensor> outputs);

}  // namespace detail

/// Runs an op and, if an input requires a gradient, records it. All defined inputs must be on one
/// device. Throws what infer and forward throw.
template <class Attrs>
[[nodiscard]] Tensors apply(const OpDef<Attrs>& op, std::initializer_list<Tensor> inputs,
                            Attrs attrs = {}) {
  return apply(op, std::span<const Tensor>(inputs.begin(), inputs.size()), std::move(attrs));
}

template <class Attrs>
[[nodiscard]] Tensors apply(const OpDef<Attrs>& op, std::span<const Tensor> inputs,
                            Attrs attrs = {}) {
  auto call = std::make_shared<Call<Attrs>>(std::move(attrs), inputs);
  call->recording = op.vjp != nullptr && detail::wants_recording(inputs);
  if (op.infer) call->outputs = detail::allocate_outputs(inputs, op.infer(inputs, call->attrs));
  op.forward(*call);
  Tensors outputs = std::move(call->outputs);
  detail::report_forward(op.name, inputs, outputs);
  if (call->recording) {
    call->inputs = {};
    call->outputs.clear();
    detail::record(op.name, inputs, outputs, [&op, call](std::span<const Tensor> dy) {
      detail::require_unchanged(op.name, call->saved);
      return op.vjp(*call, dy);
    });
  }
  return outputs;
}

}  // namespace eflow
