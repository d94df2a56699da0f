#include "eflow/nn/layers/module.hpp"

#include <map>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow::nn {
namespace {

/// Collects the differences between a model and a state and reports them in one error.
class Mismatches {
 public:
  template <class... Parts>
  void add(const Parts&... parts) {
    if (++count_ <= kShown) text_ += str("\n  ", parts...);
  }
  void throw_if_any() const {
    if (count_ == 0) return;
    const std::string more = count_ > kShown ? str("\n  and ", count_ - kShown, " more") : "";
    throw InvalidArgument(str("[load_state] the state does not match the model; ", count_,
                              " tensors differ:", text_, more));
  }

 private:
  static constexpr int kShown = 10;
  int count_ = 0;
  std::string text_;
};

}  // namespace

Scope::Scope(const RandomKey& key, DType dtype, DevicePtr device)
    : key_(key), dtype_(dtype), compute_(dtype), device_(std::move(device)) {
  if (dtype != DType::kF32 && dtype != DType::kF64) {
    throw InvalidArgument(str("[nn::Scope] parameters must be f32 or f64, found ", dtype));
  }
}

Scope Scope::shapes_only() {
  Scope scope;
  scope.allocates_ = false;
  return scope;
}

Scope Scope::without_values() const {
  Scope scope = *this;
  scope.draws_ = false;
  return scope;
}

Scope Scope::computing_in(DType compute) const {
  if (compute != dtype_ && !(dtype_ == DType::kF32 && compute == DType::kBF16)) {
    throw InvalidArgument(str("[nn::Scope] ", dtype_, " parameters cannot compute in ", compute,
                              "; expected ", dtype_, dtype_ == DType::kF32 ? " or bf16" : ""));
  }
  Scope scope = *this;
  scope.compute_ = compute;
  return scope;
}

Tensor Scope::make(const std::string& name, const Shape& shape, const Init& init) const {
  if (!allocates_) return {};
  if (!draws_) return Tensor::zeros(shape, dtype_, device_);
  return init({prefix_ + name, shape, dtype_, device_, key_});
}

Module::Module(const Scope& scope) : scope_(scope) {
  if (Module* parent = scope.parent_)
    parent->entries_.push_back({.name = scope.name_, .child = this});
}

Scope Module::child(const std::string& name) {
  Scope scope = scope_;
  scope.parent_ = this;
  scope.name_ = name;
  scope.prefix_ = scope_.prefix_ + name + ".";
  return scope;
}

Tensor Module::declare(const std::string& name, const Shape& shape, const Init& init,
                       bool trained) {
  Tensor value = scope_.make(name, shape, init);
  if (value.defined()) {
    value.set_requires_grad(trained);
    note_use(value, MemoryUse::kParameters);
  }
  entries_.push_back({.name = name, .shape = shape, .tensor = value, .trained = trained});
  return value;
}

Tensor Module::parameter(const std::string& name, const Shape& shape, const Init& init) {
  return declare(name, shape, init, true);
}

Tensor Module::buffer(const std::string& name, const Shape& shape, const Init& init) {
  return declare(name, shape, init, false);
}

template <class Visit>
void Module::visit(const std::string& prefix, const Visit& visitor) const {
  for (const Entry& entry : entries_) {
    if (entry.child) {
      entry.child->visit(prefix + entry.name + ".", visitor);
    } else {
      visitor(prefix + entry.name, entry);
    }
  }
}

NamedTensors Module::parameters() const {
  NamedTensors found;
  visit("", [&](const std::string& name, const Entry& entry) {
    if (entry.trained) found.emplace_back(name, entry.tensor);
  });
  return found;
}

NamedTensors Module::state() const {
  NamedTensors found;
  visit("", [&](const std::string& name, const Entry& entry) {
    found.emplace_back(name, entry.tensor);
  });
  return found;
}

std::vector<ParameterInfo> Module::parameter_info() const {
  std::vector<ParameterInfo> found;
  visit("", [&](const std::string& name, const Entry& entry) {
    if (entry.trained) found.push_back({name, entry.shape});
  });
  return found;
}

std::int64_t Module::parameter_count() const {
  std::int64_t count = 0;
  visit("", [&](const std::string&, const Entry& entry) {
    if (entry.trained) count += element_count(entry.shape);
  });
  return count;
}

void Module::load_state(const NamedTensors& state) {
  const NamedTensors own = this->state();
  const std::map<std::string, Tensor> given(state.begin(), state.end());
  std::set<std::string> unknown;
  for (const auto& [name, tensor] : state) unknown.insert(name);

  Mismatches mismatches;
  for (const auto& [name, tensor] : own) {
    unknown.erase(name);
    const auto found = given.find(name);
    if (found == given.end()) {
      mismatches.add(name, ": missing, expected ", tensor.shape());
    } else if (found->second.shape() != tensor.shape()) {
      mismatches.add(name, ": found ", found->second.shape(), ", expected ", tensor.shape());
    }
  }
  for (const std::string& name : unknown) mismatches.add(name, ": the model has no such tensor");
  mismatches.throw_if_any();
  for (auto [name, tensor] : own) tensor.assign(given.at(name));
}

void Module::clear_gradients() {
  for (auto [name, tensor] : parameters()) tensor.clear_grad();
}

void Module::set_trainable(bool on) {
  for (auto [name, tensor] : parameters()) tensor.set_requires_grad(on);
}

}  // namespace eflow::nn
