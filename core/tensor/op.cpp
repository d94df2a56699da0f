#include "eflow/core/tensor/op.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/op_watch.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow::detail {
namespace {

thread_local UnrecordedLeaves* g_unrecorded = nullptr;

}  // namespace

Tensor saved_handle(const Tensor& t) {
  if (!t.defined()) return t;
  Tensor out = t.detach();
  out.node()->saved_version = out.node()->storage->version;
  return out;
}

void require_unchanged(std::string_view op, std::span<const Tensor> saved) {
  for (const Tensor& t : saved) {
    if (t.defined() && t.node()->saved_version != t.node()->storage->version) {
      throw InvalidArgument(str("[backward] ", op, " needs ", t,
                                " unchanged, but it was written in place after the forward pass"));
    }
  }
}

UnrecordedLeaves::UnrecordedLeaves() : outer_(std::exchange(g_unrecorded, this)) {}

UnrecordedLeaves::~UnrecordedLeaves() {
  g_unrecorded = outer_;
}

void UnrecordedLeaves::note(std::span<const Tensor> inputs) {
  for (const Tensor& t : inputs) {
    if (!t.defined() || !t.node()->is_leaf_with_grad) continue;
    if (std::find(all_.begin(), all_.end(), t.node()) == all_.end()) all_.push_back(t.node());
  }
}

bool wants_recording(std::span<const Tensor> inputs) {
  if (!grad_enabled()) {
    if (g_unrecorded != nullptr) g_unrecorded->note(inputs);
    return false;
  }
  for (const Tensor& t : inputs) {
    if (t.requires_grad()) return true;
  }
  return false;
}

Tensors allocate_outputs(std::span<const Tensor> inputs, const std::vector<TensorSpec>& specs) {
  const DevicePtr* device = nullptr;
  for (const Tensor& t : inputs) {
    if (!t.defined()) continue;
    if (device && *device != t.device()) {
      throw InvalidArgument(
          str("inputs are on different devices: ", (*device)->name(), " and ", t.device()->name()));
    }
    device = &t.device();
  }
  Tensors out;
  out.reserve(specs.size());
  for (const TensorSpec& s : specs) {
    out.push_back(Tensor::empty(s.shape, s.dtype, device ? *device : default_device()));
  }
  return out;
}

void report_forward(std::string_view op, std::span<const Tensor> inputs,
                    std::span<const Tensor> outputs) {
  if (!OpWatch::is_set()) return;
  std::vector<const TensorNode*> operands;
  for (const Tensor& t : inputs) operands.push_back(t.defined() ? t.node().get() : nullptr);
  OpWatch::report({.op = op, .inputs = inputs, .outputs = outputs, .operands = operands});
}

void record(std::string_view name, std::span<const Tensor> inputs, Tensors& outputs, Vjp vjp) {
  static std::atomic<std::uint64_t> sequence{0};
  auto node = std::make_shared<GradNode>();
  node->name = name;
  node->sequence = ++sequence;
  node->vjp = std::move(vjp);
  node->device = outputs.front().device();
  for (const Tensor& t : inputs) node->inputs.push_back(t.requires_grad() ? t.node() : nullptr);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    node->outputs.push_back(outputs[i].spec());
    // If forward returned an input itself, the output needs a node of its own, or the edge to this
    // op would overwrite the input's.
    if (outputs[i].requires_grad()) outputs[i] = outputs[i].detach();
    outputs[i].node()->maker = node;
    outputs[i].node()->output_index = static_cast<int>(i);
  }
}

GradNode::~GradNode() {
  // Frees a long chain of ops iteratively: recursion would overflow the stack.
  std::vector<std::shared_ptr<GradNode>> pending;
  const auto take = [&pending](GradNode& node) {
    for (auto& input : node.inputs) {
      if (input && input.use_count() == 1 && input->maker)
        pending.push_back(std::move(input->maker));
      input.reset();
    }
  };
  take(*this);
  while (!pending.empty()) {
    const std::shared_ptr<GradNode> node = std::move(pending.back());
    pending.pop_back();
    if (node.use_count() == 1) take(*node);
  }
}

}  // namespace eflow::detail
