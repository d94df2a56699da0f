#pragma once
// Tensor maps: descriptors for the copy engine of sm_90a and later. With one, a single instruction
// copies a box of a tensor to shared memory and fills out-of-range elements with zeros. A map is
// passed among a kernel's arguments (TensorMap in kernels_src/args/glga.h) and must be encoded for
// each launch, because it contains the tensor's address.

#include <array>
#include <cstdint>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/cuda/context.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// A tensor of five dimensions and the box that one copy reads. The first dimension is contiguous,
/// in the tensor and in the box.
struct TensorBox {
  DType dtype = {};
  void* address = nullptr;
  std::array<std::int64_t, 5> sizes = {};    ///< elements
  std::array<std::int64_t, 4> strides = {};  ///< bytes, from the second dimension on
  std::array<int, 5> box = {};               ///< elements
};

/// Encodes a map into the 128 bytes at `map`, which must be aligned to 128. Neither allocates nor
/// touches a stream, so it may run during capture. Returns false and writes nothing for tensors
/// that the engine does not support: a dtype other than f32 and bf16, an address or stride that is
/// not a multiple of 16 bytes, a size above 2^32 or a box above 256; also if the driver has no
/// tensor maps. Throws DeviceError if the driver rejects a supported tensor. [CUDA driver API,
/// cuTensorMapEncodeTiled]
[[nodiscard]] bool encode_tensor_map(const CudaContext& context, const TensorBox& tensor,
                                     void* map);

}  // namespace eflow::jit

EFLOW_EXPORT_END
