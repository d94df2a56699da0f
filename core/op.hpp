#pragma once
// How an op is declared: one OpDef value a file in core/ops, which says what comes out (infer), computes it by launching
// kernel texts (forward), differentiates it (vjp, written under it) and offers inputs that cover its edges (samples).
// From the list of all ops (registry.hpp) run the gradient checks, the wrong-input checks and the benchmarks.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/autograd.hpp"
#include "eflow/core/tensor.hpp"

namespace eflow {

using Tensors = std::vector<Tensor>;

namespace detail {
/// t outside the graph, remembering the state of its memory; undefined stays undefined.
[[nodiscard]] Tensor saved_handle(const Tensor& t);
/// Throws InvalidArgument when saved memory was written since.
void require_unchanged(std::string_view op, std::span<const Tensor> saved);
}  // namespace detail

/// One evaluation of an op: what forward sees, and what it leaves for the vjp.
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
  Tensors outputs;                 ///< in forward only: allocated from infer, or empty for ops that make views
  std::vector<TensorSpec> in;      ///< shapes and dtypes of the inputs, also in the vjp
  std::vector<bool> needs;         ///< which inputs want a gradient; the vjp leaves the others undefined
  Tensors saved;                   ///< what the vjp reads, and nothing else is kept

  /// Keeps a tensor for the vjp (outside the graph) when anything will be differentiated.
  void save(const Tensor& t) {
    if (recording) saved.push_back(detail::saved_handle(t));
  }
  bool recording = false;
};

/// Inputs on which an op is checked, and how to run it on them.
struct Sample {
  struct Input {
    Shape shape;
    double low = -1, high = 1;  ///< values are drawn uniformly from here
    bool differentiable = true;
    std::vector<std::int64_t> integers;  ///< when not empty: these values, as i64
  };
  std::string label;
  std::vector<Input> inputs;
  std::function<Tensors(const Tensors&)> run;
  /// The same by small ops, where the op is a fusion; its oracle.
  std::function<Tensors(const Tensors&)> reference;
  /// Finite differences are meaningless across kinks: distance that values keep from 0.
  double keep_from_zero = 0;
};

template <class Attrs>
struct OpDef {
  std::string_view name;
  /// Shapes and dtypes of the outputs. Throws ShapeError, InvalidArgument. nullptr: forward makes the outputs itself.
  std::vector<TensorSpec> (*infer)(std::span<const Tensor> x, const Attrs& attrs);
  void (*forward)(Call<Attrs>& call);
  /// Gradients of the inputs from those of the outputs (an undefined dy is zero; at least one is defined). Not recorded.
  Tensors (*vjp)(const Call<Attrs>& call, std::span<const Tensor> dy);
  std::vector<Sample> (*samples)();
};

/// For ops whose result has no useful derivative; said, never left out.
template <class Attrs>
inline constexpr Tensors (*kNotDifferentiable)(const Call<Attrs>&, std::span<const Tensor>) = nullptr;

struct NoAttrs {};

namespace detail {

using Vjp = std::function<Tensors(std::span<const Tensor> dy)>;
/// Joins outputs to the graph: `inputs` are the edges back.
void record(std::string_view name, std::span<const Tensor> inputs, Tensors& outputs, Vjp vjp);
[[nodiscard]] bool wants_recording(std::span<const Tensor> inputs);
[[nodiscard]] Tensors allocate_outputs(std::span<const Tensor> inputs,
                                       const std::vector<TensorSpec>& specs);

}  // namespace detail

/// Runs an op and records it. All defined inputs must be on one device.
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
  if (call->recording) {
    call->inputs = {};
    call->outputs.clear();
    detail::record(op.name, inputs, outputs,
                   [&op, call](std::span<const Tensor> dy) {
                     detail::require_unchanged(op.name, call->saved);
                     return op.vjp(*call, dy);
                   });
  }
  return outputs;
}

}  // namespace eflow
