#pragma once
// Tensor maps: what the copy engine of sm_90a and later is told of a tensor, so that one instruction of a kernel copies a box
// of it into shared memory and fills with zeros what lies outside. A map goes to a kernel among its arguments
// (TensorMap of kernels_src/args/glga.h), made anew for each launch: it holds the tensor's address.

#include <array>
#include <cstdint>

#include "eflow/base/dtype.hpp"
#include "eflow/jit/cuda_context.hpp"

namespace eflow::jit {

/// A tensor of five dimensions and the box that one copy takes; the first dimension's elements are neighbours, and
/// neighbours in the box.
struct TensorBox {
  DType dtype;
  void* address;
  std::array<std::int64_t, 5> sizes;    ///< in elements
  std::array<std::int64_t, 4> strides;  ///< in bytes, from the second dimension on
  std::array<int, 5> box;
};

/// Makes the map that `map` points to, 128 bytes aligned to 128. Neither allocates nor touches a stream, so it may be called
/// while one is captured. False, with nothing made, for what the engine cannot take: another dtype than f32 and bf16, an
/// address or strides that are no multiples of 16 bytes, sizes beyond 2^32, a box beyond 256, a driver that has no maps.
/// Throws DeviceError when the driver refuses what it should take. [CUDA driver API, cuTensorMapEncodeTiled]
[[nodiscard]] bool encode_tensor_map(const CudaContext& context, const TensorBox& tensor,
                                     void* map);

}  // namespace eflow::jit
