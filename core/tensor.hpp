#pragma once
// Tensor: a cheap handle on a shared node that holds memory, shape, strides, dtype and, when it came out of a
// differentiable op, the way back. Copying a handle shares the node. Functions on tensors are in ops.hpp.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "eflow/base/dtype.hpp"
#include "eflow/base/shape.hpp"
#include "eflow/core/device.hpp"

namespace eflow {

/// What an op promises before it runs.
struct TensorSpec {
  Shape shape;
  DType dtype = DType::kF32;
};

namespace detail {
struct TensorNode;
struct GradNode;
struct Storage;
}  // namespace detail

class Tensor {
 public:
  /// No tensor: defined() is false; everything else asserts.
  Tensor() = default;

  /// Memory with no particular content, row-major.
  [[nodiscard]] static Tensor empty(const Shape& shape, DType dtype = DType::kF32,
                                    const DevicePtr& device = default_device());
  [[nodiscard]] static Tensor zeros(const Shape& shape, DType dtype = DType::kF32,
                                    const DevicePtr& device = default_device());
  [[nodiscard]] static Tensor full(const Shape& shape, double value, DType dtype = DType::kF32,
                                   const DevicePtr& device = default_device());
  /// A copy of host values, row-major. Throws ShapeError when their number is not that of the shape.
  template <class T>
  [[nodiscard]] static Tensor from(std::span<const T> values, const Shape& shape,
                                   const DevicePtr& device = default_device()) {
    return from_bytes(values.data(), values.size(), shape, dtype_of<T>(), device);
  }
  template <class T>
  [[nodiscard]] static Tensor from(const std::vector<T>& values, const Shape& shape,
                                   const DevicePtr& device = default_device()) {
    return from(std::span<const T>(values), shape, device);
  }

  [[nodiscard]] bool defined() const { return node_ != nullptr; }
  [[nodiscard]] const Shape& shape() const;
  /// In elements. 0 in a broadcast dimension.
  [[nodiscard]] const Strides& strides() const;
  [[nodiscard]] DType dtype() const;
  [[nodiscard]] const DevicePtr& device() const;
  [[nodiscard]] int rank() const { return shape().rank(); }
  [[nodiscard]] std::int64_t size(int axis) const { return shape()[axis]; }
  [[nodiscard]] std::int64_t count() const { return element_count(shape()); }
  [[nodiscard]] bool is_contiguous() const;
  [[nodiscard]] TensorSpec spec() const { return {shape(), dtype()}; }

  /// Address of the first element in the device's memory, for kernel arguments.
  [[nodiscard]] void* data() const;
  /// The same bytes seen with another shape and strides, `offset` elements on; no gradient flows through it.
  [[nodiscard]] Tensor view(const Shape& shape, const Strides& strides, std::int64_t offset = 0) const;

  /// The values in row-major order on the host, converted to T (float, double, std::int32_t, std::int64_t, bfloat16).
  /// Waits for the device.
  template <class T>
  [[nodiscard]] std::vector<T> to_vector() const;
  /// The only element, as double. Throws ShapeError when there are more.
  [[nodiscard]] double item() const;
  /// Overwrites the values from a tensor of the same shape and device (any floating dtype), or from the host.
  /// Not recorded: for parameters, optimizers and loading.
  void assign(const Tensor& source) const;
  void assign_bytes(std::span<const std::byte> row_major) const;

  /// Makes a leaf's gradient be kept in grad() by backward(). Throws InvalidArgument for a dtype without gradients.
  const Tensor& set_requires_grad(bool on = true) const;
  /// True for such leaves and for everything computed from them while gradients are recorded.
  [[nodiscard]] bool requires_grad() const;
  /// The accumulated gradient of a leaf; undefined before backward() or after clear_grad().
  [[nodiscard]] Tensor grad() const;
  void set_grad(const Tensor& grad) const;
  void clear_grad() const;
  /// The same values outside the graph.
  [[nodiscard]] Tensor detach() const;

  /// Whether both handles share one node.
  [[nodiscard]] bool is(const Tensor& other) const { return node_ == other.node_; }

  explicit Tensor(std::shared_ptr<detail::TensorNode> node) : node_(std::move(node)) {}
  [[nodiscard]] const std::shared_ptr<detail::TensorNode>& node() const { return node_; }

 private:
  static Tensor from_bytes(const void* values, std::size_t count, const Shape& shape, DType dtype,
                           const DevicePtr& device);
  std::shared_ptr<detail::TensorNode> node_;
};

/// "[4, 64, 192] f32", for messages.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace eflow
