#pragma once
// The node that a Tensor handle points to, its memory, and the recorded graph. Internal to core;
// users include tensor.hpp.

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/op.hpp"
#include "eflow/core/tensor/tensor.hpp"

namespace eflow::detail {

/// Memory from Device::begin_upload().
struct UploadedMemory {
  void* memory = nullptr;
};

/// A block of device memory, released when the last view of it is destroyed.
struct Storage {
  Storage(DevicePtr on, std::size_t size);
  /// Memory that an upload fills.
  Storage(DevicePtr on, UploadedMemory upload, std::size_t size);
  /// Memory of another owner, who is told by `give_back` that it is no longer used.
  Storage(DevicePtr on, void* theirs, std::size_t size, std::function<void()> give_back);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  DevicePtr device;
  std::size_t bytes;
  void* memory;
  std::function<void()> give_back = {};  ///< set if the memory is another's
  bool is_uploaded = false;              ///< whether it is UploadedMemory
  MemoryUse use = MemoryUse::kActivations;
  /// A host copy of an i64 tensor in GPU memory, valid while version == host_version. Many ops
  /// check their indices on the host; this copy saves them a wait for the device.
  std::vector<std::int64_t> host_values;
  std::uint64_t host_version = 0;
  /// A parameter's values in the dtype of matrix products, valid while version == narrow_version
  /// (weight_copy.hpp).
  std::shared_ptr<Storage> narrow;
  std::uint64_t narrow_version = 0;
  std::int64_t narrow_count = 0;  ///< its elements
  /// Number of in-place writes. A vjp compares it to detect that a saved tensor was modified.
  std::atomic<std::uint64_t> version{0};
};

/// A recorded op: edges to its inputs, and its vjp.
struct GradNode {
  std::string_view name;
  std::uint64_t sequence = 0;                       ///< increases in recording order
  std::vector<std::shared_ptr<TensorNode>> inputs;  ///< nullptr: needs no gradient
  std::vector<TensorSpec> outputs;
  DevicePtr device;
  Vjp vjp;
  /// Leaves that are no inputs, but to which the vjp gives gradients itself, by a backward pass of
  /// its own.
  std::vector<std::shared_ptr<TensorNode>> hidden_leaves;

  GradNode() = default;
  ~GradNode();
};

/// The state of a tensor. Handles share it; views have nodes of their own and share the storage.
struct TensorNode {
  Shape shape;
  Strides strides;
  DType dtype = DType::kF32;
  std::int64_t offset = 0;  ///< of the first element in the storage, in elements
  std::shared_ptr<Storage> storage;

  bool is_leaf_with_grad = false;
  Tensor grad;
  std::shared_ptr<GradNode> maker;  ///< the recorded op that computed this tensor, or nullptr
  int output_index = 0;             ///< of this tensor among the maker's outputs
  std::uint64_t saved_version = 0;  ///< storage version at the time an op saved this tensor
};

/// Creates a leaf node. Strides and offset are in elements.
[[nodiscard]] std::shared_ptr<TensorNode> make_node(const Shape& shape, const Strides& strides,
                                                    DType dtype, std::int64_t offset,
                                                    std::shared_ptr<Storage> storage);

}  // namespace eflow::detail
