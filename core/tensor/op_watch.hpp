#pragma once
// OpWatch: reports every op that a thread runs, forward and backward, with its inputs and outputs.
// For finding out where a value comes from; without one, an op pays for one comparison.

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// An op, or its whole vjp, which is reported after the ops that it is made of.
struct OpEvent {
  std::string_view op = {};
  bool vjp = false;
  bool backward = false;  ///< in the backward pass
  /// The inputs of the op, or of its vjp: the gradients of its outputs. Some may be undefined.
  std::span<const Tensor> inputs = {};
  /// The outputs of the op, or of its vjp: the gradients of its inputs. Some may be undefined.
  std::span<const Tensor> outputs = {};
  /// The nodes of the op's inputs (Tensor::node()), in both directions. nullptr for an undefined
  /// input; in the backward pass, also for one that needs no gradient.
  std::span<const detail::TensorNode* const> operands = {};
};

/// Calls `see` after each op and each vjp of this thread, until destruction. Ops that `see` runs are
/// not reported. Not reentrant: one OpWatch per thread at a time.
class OpWatch {
 public:
  explicit OpWatch(std::function<void(const OpEvent&)> see);
  ~OpWatch();
  OpWatch(const OpWatch&) = delete;
  OpWatch& operator=(const OpWatch&) = delete;

  /// Whether this thread has one that is not calling `see`.
  [[nodiscard]] static bool is_set();
  /// Passes an event on, with `backward` filled in. Requires is_set().
  static void report(OpEvent event);

  /// Marks a part of the backward pass of this thread while it lives.
  class Backward {
   public:
    Backward();
    ~Backward();
    Backward(const Backward&) = delete;
    Backward& operator=(const Backward&) = delete;
  };

 private:
  std::function<void(const OpEvent&)> see_;
};

}  // namespace eflow

EFLOW_EXPORT_END
