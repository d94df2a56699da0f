#pragma once
// Tensor: a cheap handle to a shared node that holds memory, shape, strides, dtype and, if a
// recorded op computed it, the edge to that op. Copying a handle shares the node. Ops on tensors
// are in ops.hpp.
//
// Threads: different tensors may be used concurrently. One tensor may be read concurrently; writing
// to it (assign, set_grad, in-place ops) while another thread uses it is a data race.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"
#include "eflow/core/tensor/device_ptr.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Shape and dtype of a tensor, without its memory.
struct TensorSpec {
  Shape shape = {};
  DType dtype = DType::kF32;
};

namespace detail {
struct TensorNode;
struct GradNode;
struct Storage;
}  // namespace detail

/// An n-dimensional array on a device, of rank 0 to Dims::kMaxRank. Sizes may be 0.
class Tensor {
 public:
  /// An undefined tensor: defined() is false, and other members fail an assertion.
  Tensor() = default;

  /// Allocates a row-major tensor with uninitialised values. Throws DeviceError if memory runs out;
  /// so do all functions that allocate.
  [[nodiscard]] static Tensor empty(const Shape& shape, DType dtype = DType::kF32,
                                    const DevicePtr& device = default_device());
  /// Allocates a row-major tensor of zeros.
  [[nodiscard]] static Tensor zeros(const Shape& shape, DType dtype = DType::kF32,
                                    const DevicePtr& device = default_device());
  /// Allocates a row-major tensor with every element equal to `value`, converted to dtype.
  [[nodiscard]] static Tensor full(const Shape& shape, double value, DType dtype = DType::kF32,
                                   const DevicePtr& device = default_device());
  /// Copies row-major host values to the device; the dtype follows from T. Throws ShapeError unless
  /// values.size() equals the element count of `shape`.
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
  /// Strides in elements; 0 in a broadcast dimension.
  [[nodiscard]] const Strides& strides() const;
  [[nodiscard]] DType dtype() const;
  [[nodiscard]] const DevicePtr& device() const;
  [[nodiscard]] int rank() const { return shape().rank(); }
  /// Size of an axis; a negative axis counts from the end. Throws InvalidArgument if out of range.
  [[nodiscard]] std::int64_t size(int axis) const { return shape()[axis]; }
  /// Number of elements.
  [[nodiscard]] std::int64_t count() const { return element_count(shape()); }
  /// Whether the elements are row-major without gaps.
  [[nodiscard]] bool is_contiguous() const;
  [[nodiscard]] TensorSpec spec() const { return {shape(), dtype()}; }

  /// Address of the first element, in the memory of the device. For kernel arguments; valid while a
  /// tensor or view shares this memory.
  [[nodiscard]] void* data() const;
  /// Returns a view of the same memory with another shape and strides (in elements), starting
  /// `offset` elements after this tensor's first. Bounds are not checked. Not recorded: no gradient
  /// flows through.
  [[nodiscard]] Tensor view(const Shape& shape, const Strides& strides,
                            std::int64_t offset = 0) const;

  /// Copies the values to the host in row-major order, converted to T: float, double, std::int32_t,
  /// std::int64_t or bfloat16. Waits for the device.
  template <class T>
  [[nodiscard]] std::vector<T> to_vector() const;
  /// Returns the only element as a double. Waits for the device. Throws ShapeError unless count()
  /// is 1.
  [[nodiscard]] double item() const;
  /// Overwrites the values in place with those of a tensor of the same shape and device, converting
  /// between floating dtypes. Not recorded: for parameters, optimizers and loading. Throws
  /// ShapeError.
  void assign(const Tensor& source) const;
  /// Overwrites the values of a contiguous tensor with row-major host bytes of its dtype. Not
  /// recorded. Throws ShapeError if the size differs or the tensor is not contiguous.
  void assign_bytes(std::span<const std::byte> row_major) const;

  /// Marks a leaf so that backward() accumulates its gradient in grad(). Returns *this. Throws
  /// InvalidArgument for an integer dtype and for a tensor that a recorded op computed.
  const Tensor& set_requires_grad(bool on = true) const;
  /// Whether this is such a leaf, or was computed from one while gradients were recorded.
  [[nodiscard]] bool requires_grad() const;
  /// Returns the accumulated gradient of a leaf; undefined before backward() and after
  /// clear_grad().
  [[nodiscard]] Tensor grad() const;
  /// Replaces the gradient. Throws ShapeError unless its shape is that of the tensor.
  void set_grad(const Tensor& grad) const;
  /// Drops the gradient; grad() becomes undefined.
  void clear_grad() const;
  /// Returns a view of the same memory outside the graph.
  [[nodiscard]] Tensor detach() const;

  /// Whether both handles refer to the same node.
  [[nodiscard]] bool is(const Tensor& other) const { return node_ == other.node_; }

  /// Wraps a node; for the library's own files.
  explicit Tensor(std::shared_ptr<detail::TensorNode> node) : node_(std::move(node)) {}
  [[nodiscard]] const std::shared_ptr<detail::TensorNode>& node() const { return node_; }

 private:
  static Tensor from_bytes(const void* values, std::size_t count, const Shape& shape, DType dtype,
                           const DevicePtr& device);
  std::shared_ptr<detail::TensorNode> node_;
};

/// Prints shape and dtype, "[4, 64, 192] f32", or "(undefined)"; for messages.
std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

}  // namespace eflow

EFLOW_EXPORT_END
