#pragma once
// Module: named parameters and child modules, and the state dict made of them. A module is a class
// with members that register themselves under their names and an operator() that computes:
//
//   struct Mlp : nn::Module {
//     explicit Mlp(const nn::Scope& scope) : Module(scope) {}
//     nn::Linear up{child("up"), 16, 64}, down{child("down"), 64, 16};
//     Tensor operator()(const Tensor& x) const { return down(gelu(up(x))); }
//   };
//   Mlp mlp(nn::Scope({.seed = 1}));  // "up.weight", "up.bias", "down.weight", "down.bias"
//
// Modules stay where they were built (their parents point to them): hold many in std::deque or
// behind unique_ptr.

#include <string>
#include <utility>
#include <vector>

#include "eflow/nn/init.hpp"

namespace eflow::nn {

class Module;

/// Tensors by dotted name, in the order in which they were declared.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// A parameter as declared: known even where nothing was allocated.
struct ParameterInfo {
  std::string name;
  Shape shape;
};

/// Where a module is built: as the root of a model, or under a name in a parent.
class Scope {
 public:
  /// A root whose parameters are drawn with `key` and live on `device`.
  explicit Scope(const RandomKey& key, DType dtype = DType::kF32,
                 DevicePtr device = default_device());
  /// A root whose parameters are declared but never allocated: for counting, not for running.
  [[nodiscard]] static Scope shapes_only();
  /// The same place, where blocks compute in `compute`: the weights' dtype, or bf16 beside weights of f32 (mixed precision:
  /// weights are masters, the residual stream stays f32). Throws InvalidArgument.
  [[nodiscard]] Scope computing_in(DType compute) const;

  /// Draws one value; undefined in a shapes_only() model.
  [[nodiscard]] Tensor make(const std::string& name, const Shape& shape, const Init& init) const;
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] DType compute() const { return compute_; }
  [[nodiscard]] const DevicePtr& device() const { return device_; }
  [[nodiscard]] bool allocates() const { return allocates_; }

 private:
  friend class Module;
  Scope() = default;
  Module* parent_ = nullptr;
  std::string name_;    ///< in the parent
  std::string prefix_;  ///< from the root, with its last dot
  RandomKey key_;
  DType dtype_ = DType::kF32, compute_ = DType::kF32;
  DevicePtr device_;
  bool allocates_ = true;
};

class Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// What is trained, here and in all children. The tensors are handles on the module's own.
  [[nodiscard]] NamedTensors parameters() const;
  /// Parameters and buffers: all that must be kept to get the module back.
  [[nodiscard]] NamedTensors state() const;
  /// Names and shapes of parameters().
  [[nodiscard]] std::vector<ParameterInfo> parameter_info() const;
  /// Number of trained values.
  [[nodiscard]] std::int64_t parameter_count() const;

  /// Overwrites state() from tensors of the same names and shapes, in any order and floating dtype.
  /// Throws InvalidArgument listing the first ten names that are missing, unknown or of another
  /// shape; then nothing was changed.
  void load_state(const NamedTensors& state);
  void clear_gradients();
  /// Turns gradients of all parameters off (for evaluation copies) or on.
  void set_trainable(bool on);

 protected:
  explicit Module(const Scope& scope);

  /// Where to build the child of this name.
  [[nodiscard]] Scope child(const std::string& name);
  /// Declares a trained tensor.
  [[nodiscard]] Tensor parameter(const std::string& name, const Shape& shape, const Init& init);
  /// Declares a tensor that is kept but not trained.
  [[nodiscard]] Tensor buffer(const std::string& name, const Shape& shape, const Init& init);
  [[nodiscard]] const Scope& scope() const { return scope_; }

 private:
  struct Entry {
    std::string name;
    Shape shape;
    Tensor tensor;
    bool trained = true;
    Module* child = nullptr;  ///< the other fields are then empty
  };
  template <class Visit>
  void visit(const std::string& prefix, const Visit& visitor) const;
  [[nodiscard]] Tensor declare(const std::string& name, const Shape& shape, const Init& init,
                               bool trained);

  Scope scope_;
  std::vector<Entry> entries_;
};

}  // namespace eflow::nn
