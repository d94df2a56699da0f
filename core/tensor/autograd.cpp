#include "eflow/core/tensor/autograd.hpp"

#include <map>
#include <unordered_map>
#include <unordered_set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/op.hpp"
#include "eflow/core/tensor/op_watch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow {
namespace {

thread_local bool g_recording = true;

using detail::GradNode;
using detail::TensorNode;

/// The leaves of a graph: of each, how many uses by ops still have to be differentiated.
class LeafUses {
 public:
  explicit LeafUses(const std::shared_ptr<GradNode>& last) {
    if (!last) return;
    std::vector<const GradNode*> ahead{last.get()};
    std::unordered_set<const GradNode*> seen{last.get()};
    while (!ahead.empty()) {
      const GradNode& node = *ahead.back();
      ahead.pop_back();
      for (const auto& input : node.inputs) {
        if (!input) continue;
        if (input->is_leaf_with_grad) ++uses_[input];
        if (input->maker && seen.insert(input->maker.get()).second)
          ahead.push_back(input->maker.get());
      }
      for (const auto& leaf : node.hidden_leaves) ++uses_[leaf];
    }
  }

  /// Counts the uses by an op whose vjp has run.
  void leave(const GradNode& node, const LeafDone& done) {
    for (const auto& input : node.inputs) {
      if (input && input->is_leaf_with_grad) leave(input, done);
    }
    for (const auto& leaf : node.hidden_leaves) leave(leaf, done);
  }

  [[nodiscard]] std::vector<Tensor> leaves() const {
    std::vector<Tensor> all;
    for (const auto& [leaf, uses] : uses_) all.emplace_back(leaf);
    return all;
  }

 private:
  void leave(const std::shared_ptr<TensorNode>& leaf, const LeafDone& done) {
    if (--uses_.at(leaf) == 0) done(Tensor(leaf));
  }

  std::unordered_map<std::shared_ptr<TensorNode>, std::int64_t> uses_;
};

/// Gradients accumulated so far for one op's outputs.
struct Pending {
  std::shared_ptr<GradNode> node;
  Tensors dy;
};

/// Walks the graph from later ops to earlier ones. An op's sequence number is larger than those of
/// the ops it depends on, so all gradients of its outputs are complete when it is visited.
class Walk {
 public:
  /// Calls leaf(node, gradient) for each gradient that reaches a tensor, leaf or not, and
  /// visited(op) after each op.
  template <class Leaf, class Visited>
  void run(const Tensor& output, const Tensor& seed, bool release, Leaf&& leaf, Visited&& visited) {
    arrive(output.node(), seed, leaf);
    while (!pending_.empty()) {
      const auto last = std::prev(pending_.end());
      Pending now = std::move(last->second);
      pending_.erase(last);
      visit(now, release, leaf);
      visited(*now.node);
    }
  }

 private:
  template <class Leaf>
  void arrive(const std::shared_ptr<TensorNode>& at, const Tensor& dy, Leaf&& leaf) {
    leaf(at, dy);
    if (!at->maker) return;
    Pending& p = pending_[at->maker->sequence];
    if (!p.node) {
      p.node = at->maker;
      p.dy.resize(at->maker->outputs.size());
    }
    Tensor& sum = p.dy[static_cast<std::size_t>(at->output_index)];
    sum = sum.defined() ? sum + dy : dy;
  }

  template <class Leaf>
  void visit(const Pending& p, bool release, Leaf&& leaf) {
    GradNode& node = *p.node;
    if (!node.vjp) {
      throw InvalidArgument(
          str("[backward] the graph of ", node.name,
              " was released by an earlier backward(); run the forward pass again"));
    }
    const OpWatch::Backward in_backward;
    const Tensors dx = node.vjp(p.dy);
    EFLOW_ASSERT(dx.size() == node.inputs.size());
    if (OpWatch::is_set()) report(node, p.dy, dx);
    if (release) node.vjp = nullptr;
    for (std::size_t i = 0; i < dx.size(); ++i) {
      if (node.inputs[i] && dx[i].defined()) {
        EFLOW_ASSERT(dx[i].shape() == node.inputs[i]->shape);
        arrive(node.inputs[i], dx[i], leaf);
      }
    }
  }

  static void report(const GradNode& node, std::span<const Tensor> dy, std::span<const Tensor> dx) {
    std::vector<const TensorNode*> operands;
    for (const auto& input : node.inputs) operands.push_back(input.get());
    OpWatch::report(
        {.op = node.name, .vjp = true, .inputs = dy, .outputs = dx, .operands = operands});
  }

  std::map<std::uint64_t, Pending> pending_;
};

void accumulate(const std::shared_ptr<TensorNode>& leaf, const Tensor& dy) {
  if (!leaf->is_leaf_with_grad) return;
  leaf->grad = leaf->grad.defined() ? leaf->grad + dy : dy;
  note_use(leaf->grad, MemoryUse::kGradients);
}

Tensor checked_seed(const Tensor& output, const Tensor& seed) {
  if (!output.defined() || !output.requires_grad()) {
    throw InvalidArgument(
        "[backward] the output does not depend on a tensor that requires a gradient");
  }
  if (seed.defined()) {
    if (seed.shape() != output.shape() || seed.dtype() != output.dtype()) {
      throw ShapeError(str("[backward] seed ", seed, " for output ", output));
    }
    return seed;
  }
  if (output.count() != 1) {
    throw ShapeError(
        str("[backward] ", output, " has more than one element; pass a seed of its shape"));
  }
  return Tensor::full(output.shape(), 1, output.dtype(), output.device());
}

}  // namespace

NoGrad::NoGrad(bool off) : before_(g_recording) {
  if (off) g_recording = false;
}
NoGrad::~NoGrad() {
  g_recording = before_;
}
bool grad_enabled() {
  return g_recording;
}

void backward(const Tensor& output, const Tensor& seed) {
  const Tensor start = checked_seed(output, seed);
  const NoGrad off;
  Walk().run(output, start, true, accumulate, [](const GradNode&) {});
}

void backward(const Tensor& output, const Tensor& seed, const LeafDone& done) {
  const Tensor start = checked_seed(output, seed);
  const NoGrad off;
  LeafUses uses(output.node()->maker);
  Walk().run(output, start, true, accumulate, [&](const GradNode& op) { uses.leave(op, done); });
  if (output.node()->is_leaf_with_grad) done(output);
}

std::vector<Tensor> leaves_of(const Tensor& output) {
  if (output.node()->is_leaf_with_grad) return {output};
  return LeafUses(output.node()->maker).leaves();
}

std::vector<Tensor> gradients(const Tensor& output, const std::vector<Tensor>& inputs,
                              const Tensor& seed) {
  const Tensor start = checked_seed(output, seed);
  const NoGrad off;
  std::unordered_map<const TensorNode*, Tensor> found;
  for (const Tensor& t : inputs) found[t.node().get()] = Tensor();
  Walk().run(
      output, start, false,
      [&found](const std::shared_ptr<TensorNode>& at, const Tensor& dy) {
        const auto it = found.find(at.get());
        if (it == found.end()) return;
        it->second = it->second.defined() ? it->second + dy : dy;
      },
      [](const GradNode&) {});
  std::vector<Tensor> out;
  for (const Tensor& t : inputs) {
    const Tensor& g = found[t.node().get()];
    out.push_back(g.defined() ? g : Tensor::zeros(t.shape(), t.dtype(), t.device()));
  }
  return out;
}

Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                  const std::vector<Tensor>& inputs) {
  if (!grad_enabled()) return f(inputs);
  Tensor output;
  std::vector<std::shared_ptr<TensorNode>> leaves;
  {
    const NoGrad off;
    const detail::UnrecordedLeaves used;
    output = f(inputs);
    leaves = used.all();
  }
  // f may use parameters that are not among its inputs, so the result always joins the graph.
  Tensors outputs{output.detach()};
  Tensors kept;
  for (const Tensor& t : inputs) kept.push_back(t.defined() ? t.detach() : Tensor());
  detail::record("checkpoint", inputs, outputs,
                 [f, kept, edges = inputs.size()](std::span<const Tensor> dy) {
                   Tensors again;
                   for (const Tensor& t : kept) {
                     again.push_back(t.defined() ? t.detach() : Tensor());
                     if (t.defined() && is_floating(t.dtype())) again.back().set_requires_grad();
                   }
                   Tensor y;
                   {
                     struct Recording {
                       bool before = g_recording;
                       Recording() { g_recording = true; }
                       ~Recording() { g_recording = before; }
                     } on;
                     y = f(again);
                   }
                   Tensors dx(edges);
                   if (!y.requires_grad()) return dx;
                   backward(y, dy[0]);
                   for (std::size_t i = 0; i < edges; ++i) {
                     if (again[i].defined()) dx[i] = again[i].grad();
                   }
                   return dx;
                 });
  outputs[0].node()->maker->hidden_leaves = std::move(leaves);
  return outputs[0];
}

}  // namespace eflow
