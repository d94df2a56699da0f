#include "eflow/trainer/replay/find_nonfinite.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/op_watch.hpp"

namespace eflow::trainer {
namespace {

std::vector<double> values_of(const Tensor& tensor) {
  if (!tensor.defined() || !is_floating(tensor.dtype())) return {};
  return tensor.to_vector<double>();
}

bool is_finite(const Tensor& tensor) {
  const auto values = values_of(tensor);
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

std::string name_of(const OpEvent& event) {
  if (event.vjp) return str("gradient of ", event.op);
  return str(event.op, event.backward ? " in the backward pass" : "");
}

std::string describe_inputs(std::span<const Tensor> inputs) {
  std::string text;
  for (const Tensor& input : inputs) {
    double largest = 0;
    if (!input.defined()) continue;
    for (const double value : values_of(input)) largest = std::max(largest, std::abs(value));
    text += str(text.empty() ? "" : ", ", input.shape(), " ", input.dtype(), " up to ", largest);
  }
  return text;
}

}  // namespace

std::string describe_nonfinite(const Tensor& tensor) {
  const auto values = values_of(tensor);
  const auto bad =
      std::count_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  return bad == 0 ? "" : str(bad, " of ", values.size(), " values are not finite");
}

std::optional<NonFinite> find_nonfinite(const nn::NamedTensors& parameters,
                                        const std::function<void()>& f) {
  std::unordered_map<const detail::TensorNode*, std::string> names;
  for (const auto& [name, tensor] : parameters) names[tensor.node().get()] = name;
  std::optional<NonFinite> first;
  std::string last;  // the parameter that was used last
  const OpWatch watch([&](const OpEvent& event) {
    if (first) return;
    for (const detail::TensorNode* operand : event.operands) {
      if (const auto found = names.find(operand); found != names.end()) last = found->second;
    }
    for (std::size_t i = 0; i < event.outputs.size(); ++i) {
      const std::string fault = describe_nonfinite(event.outputs[i]);
      if (fault.empty()) continue;
      if (!std::all_of(event.inputs.begin(), event.inputs.end(), is_finite)) continue;
      const Tensor& output = event.outputs[i];
      first = {.op = name_of(event),
               .parameter = last,
               .value = str("output ", i, ", ", output.shape(), " ", output.dtype(), ": ", fault),
               .inputs = describe_inputs(event.inputs)};
      return;
    }
  });
  f();
  return first;
}

}  // namespace eflow::trainer
