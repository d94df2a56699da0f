#pragma once
// What the emulated copy engine reads of a tensor map.

#include <array>
#include <cstdint>

namespace eflow::emulated {

/// Contents of an emulated map, in place of the driver's 128 opaque bytes.
struct TensorMapFields {
  std::uint64_t address;
  std::array<std::uint64_t, 5> sizes;
  std::array<std::uint64_t, 4> strides;  ///< in bytes, starting with the second dimension
  std::array<std::uint16_t, 5> box;
  std::uint8_t type, element_bytes;
};
static_assert(sizeof(TensorMapFields) <= 128);

}  // namespace eflow::emulated
