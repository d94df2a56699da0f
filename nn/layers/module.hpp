#pragma once
// Module: named parameters and child modules, and the state dictionary of a model. A module is a
// class whose members register themselves by name and whose operator() computes:
//
//   struct Mlp : nn::Module {
//     explicit Mlp(const nn::Scope& scope) : Module(scope) {}
//     nn::Linear up{child("up"), 16, 64}, down{child("down"), 64, 16};
//     Tensor operator()(const Tensor& x) const { return down(gelu(up(x))); }
//   };
//   Mlp mlp(nn::Scope({.seed = 1}));  // "up.weight", "up.bias", "down.weight", "down.bias"
//
// Modules cannot be moved or copied, because their parents point to them: hold several in a
// std::deque or behind unique_ptr.

#include <string>
#include <utility>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/init.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class Module;

/// Tensors by dotted name, in order of declaration.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// A declared parameter; known even if it was not allocated.
struct ParameterInfo {
  std::string name = {};
  Shape shape = {};
};

/// The place of a module under construction: the root of a model, or a name in a parent.
class Scope {
 public:
  /// A root whose parameters are drawn with `key` and allocated on `device`. dtype: f32 or f64;
  /// throws InvalidArgument otherwise.
  explicit Scope(const RandomKey& key, DType dtype = DType::kF32,
                 DevicePtr device = default_device());
  /// A root whose parameters are declared but not allocated: for counting, not for running.
  [[nodiscard]] static Scope shapes_only();
  /// Returns this scope with parameters that start at 0, for a model that gets its state from
  /// elsewhere: drawing the values of a large one takes seconds.
  [[nodiscard]] Scope without_values() const;
  /// Returns this scope with blocks that compute in `compute`: the weights' dtype, or bf16 with f32
  /// weights (mixed precision: f32 master weights and residual stream). Throws InvalidArgument for
  /// other combinations.
  [[nodiscard]] Scope computing_in(DType compute) const;

  /// Draws one tensor; zeros without_values(), undefined in a shapes_only() model.
  [[nodiscard]] Tensor make(const std::string& name, const Shape& shape, const Init& init) const;
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] DType compute() const { return compute_; }
  [[nodiscard]] const DevicePtr& device() const { return device_; }
  [[nodiscard]] bool allocates() const { return allocates_; }

 private:
  friend class Module;
  Scope() = default;
  Module* parent_ = nullptr;
  std::string name_;    ///< within the parent
  std::string prefix_;  ///< from the root, ends with a dot
  RandomKey key_;
  DType dtype_ = DType::kF32, compute_ = DType::kF32;
  DevicePtr device_;
  bool allocates_ = true;
  bool draws_ = true;
};

class Module {
 public:
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// The trained tensors of this module and its children. They are handles to the module's own
  /// tensors.
  [[nodiscard]] NamedTensors parameters() const;
  /// Parameters and buffers: everything needed to restore the module.
  [[nodiscard]] NamedTensors state() const;
  /// Names and shapes of parameters().
  [[nodiscard]] std::vector<ParameterInfo> parameter_info() const;
  /// Number of trained values.
  [[nodiscard]] std::int64_t parameter_count() const;

  /// Overwrites state() from tensors of the same names and shapes, in any order and floating dtype.
  /// If names are missing or unknown or shapes differ, throws InvalidArgument, lists the first ten
  /// and changes nothing.
  void load_state(const NamedTensors& state);
  void clear_gradients();
  /// Enables or disables gradients of all parameters (off for evaluation copies).
  void set_trainable(bool on);

 protected:
  explicit Module(const Scope& scope);

  /// Returns the scope of a child with this name.
  [[nodiscard]] Scope child(const std::string& name);
  /// Declares a trained tensor.
  [[nodiscard]] Tensor parameter(const std::string& name, const Shape& shape, const Init& init);
  /// Declares a tensor that is part of state() but not trained.
  [[nodiscard]] Tensor buffer(const std::string& name, const Shape& shape, const Init& init);
  [[nodiscard]] const Scope& scope() const { return scope_; }

 private:
  struct Entry {
    std::string name = {};
    Shape shape = {};
    Tensor tensor = {};
    bool trained = true;
    Module* child = nullptr;  ///< if set, shape and tensor are empty
  };
  template <class Visit>
  void visit(const std::string& prefix, const Visit& visitor) const;
  [[nodiscard]] Tensor declare(const std::string& name, const Shape& shape, const Init& init,
                               bool trained);

  Scope scope_;
  std::vector<Entry> entries_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
