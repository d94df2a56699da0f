#pragma once
// Tensor maps without a driver: an encoder that rejects what the documentation of
// cuTensorMapEncodeTiled rejects, and a map that the emulated copy engine reads.

#include <cstdint>
#include <cstring>

#include "eflow/jit/emulation/tensor_map_fields.hpp"

namespace eflow::emulated {

/// See CudaApi::tensor_map_encode.
inline int encode_tensor_map(void* map, int type, unsigned rank, void* address,
                             const unsigned long long* sizes, const unsigned long long* strides,
                             const unsigned* box, const unsigned* steps, int interleave,
                             int swizzle, int /*promotion*/, int fill) {
  constexpr int kInvalidValue = 1, kFloat32 = 7, kBFloat16 = 9;
  // Features that eflow does not use are not emulated.
  if (rank != 5 || interleave != 0 || swizzle != 0 || fill != 0) return kInvalidValue;
  if (type != kFloat32 && type != kBFloat16) return kInvalidValue;
  TensorMapFields out{};
  out.address = reinterpret_cast<std::uint64_t>(address);
  out.type = static_cast<std::uint8_t>(type);
  out.element_bytes = type == kFloat32 ? 4 : 2;
  if (out.address % 16 != 0 || reinterpret_cast<std::uint64_t>(map) % 64 != 0) return kInvalidValue;
  for (unsigned i = 0; i < rank; ++i) {
    if (sizes[i] == 0 || sizes[i] > std::uint64_t{1} << 32) return kInvalidValue;
    if (box[i] == 0 || box[i] > 256 || steps[i] != 1) return kInvalidValue;
    out.sizes[i] = sizes[i];
    out.box[i] = static_cast<std::uint16_t>(box[i]);
    if (i == 0) continue;
    if (strides[i - 1] % 16 != 0 || strides[i - 1] >= std::uint64_t{1} << 40) return kInvalidValue;
    out.strides[i - 1] = strides[i - 1];
  }
  if (box[0] * out.element_bytes % 16 != 0) return kInvalidValue;
  std::memset(map, 0, 128);
  std::memcpy(map, &out, sizeof out);
  return 0;
}

}  // namespace eflow::emulated
