#pragma once
// HDF5's shuffle filter (id 2): groups the bytes of all elements by their position in the element,
// which makes floating-point data compress better. Internal to io.

#include <cstddef>
#include <span>

namespace eflow::io {

/// Writes byte 0 of every element, then byte 1 of every element, and so on. `in` and `out` have the
/// same size and must not overlap. As in HDF5, an incomplete last element is copied unchanged.
void byte_shuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out);
/// Inverse of byte_shuffle, under the same conditions.
void byte_unshuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out);

}  // namespace eflow::io
