#pragma once
// HDF5's shuffle filter (id 2): byte k of every element together, for k = 0, 1, ... Internal to io.

#include <cstddef>
#include <span>

namespace eflow::io {

/// in and out have one size and do not overlap; a rest that is no whole element is copied behind,
/// as HDF5 does.
void byte_shuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out);
void byte_unshuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out);

}  // namespace eflow::io
