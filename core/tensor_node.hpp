#pragma once
// What a Tensor handle points to. For the library's own files; users see tensor.hpp.

#include <atomic>
#include <memory>
#include <vector>

#include "eflow/core/memory_plan.hpp"
#include "eflow/core/op.hpp"
#include "eflow/core/tensor.hpp"

namespace eflow::detail {

/// A block of device memory, freed with its last view.
struct Storage {
  Storage(DevicePtr on, std::size_t size);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  DevicePtr device;
  std::size_t bytes;
  void* memory;
  MemoryUse use = MemoryUse::kActivations;
  /// What a device's memory held at host_version: indices are read back by many ops, and reading would wait.
  std::vector<std::int64_t> host_values;
  std::uint64_t host_version = 0;
  /// Counts in-place writes, so that the vjp can tell when a tensor it saved was changed under it.
  std::atomic<std::uint64_t> version{0};
};

/// One recorded op: edges to what made its inputs, and the function that takes gradients across it.
struct GradNode {
  std::string_view name;
  std::uint64_t sequence;                      ///< grows in recording order: larger = later
  std::vector<std::shared_ptr<TensorNode>> inputs;  ///< nullptr where no gradient is wanted
  std::vector<TensorSpec> outputs;
  DevicePtr device;
  Vjp vjp;

  GradNode() = default;
  ~GradNode();
};

struct TensorNode {
  Shape shape;
  Strides strides;
  DType dtype = DType::kF32;
  std::int64_t offset = 0;  ///< of the first element, in elements
  std::shared_ptr<Storage> storage;

  bool is_leaf_with_grad = false;
  Tensor grad;
  std::shared_ptr<GradNode> maker;  ///< the op that this came out of, when recorded
  int output_index = 0;
  std::uint64_t saved_version = 0;  ///< of the storage, when an op saved this
};

[[nodiscard]] std::shared_ptr<TensorNode> make_node(const Shape& shape, const Strides& strides,
                                                    DType dtype, std::int64_t offset,
                                                    std::shared_ptr<Storage> storage);

}  // namespace eflow::detail
