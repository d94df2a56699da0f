#include "eflow/io/shard/byte_shuffle.hpp"

#include <cstring>

namespace eflow::io {
namespace {

/// With the element size known at compile time, the compiler vectorises the inner loop.
template <std::size_t kElement>
void shuffle_elements(const std::byte* in, std::size_t count, std::byte* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < kElement; ++k) out[k * count + i] = in[i * kElement + k];
  }
}

template <std::size_t kElement>
void unshuffle_elements(const std::byte* in, std::size_t count, std::byte* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < kElement; ++k) out[i * kElement + k] = in[k * count + i];
  }
}

void copy_rest(std::span<const std::byte> in, std::size_t done, std::span<std::byte> out) {
  if (done < in.size()) std::memcpy(out.data() + done, in.data() + done, in.size() - done);
}

}  // namespace

void byte_shuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out) {
  const std::size_t count = element > 1 ? in.size() / element : 0;
  if (element == 2) {
    shuffle_elements<2>(in.data(), count, out.data());
  } else if (element == 4) {
    shuffle_elements<4>(in.data(), count, out.data());
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < element; ++k) out[k * count + i] = in[i * element + k];
    }
  }
  copy_rest(in, count * element, out);
}

void byte_unshuffle(std::span<const std::byte> in, std::size_t element, std::span<std::byte> out) {
  const std::size_t count = element > 1 ? in.size() / element : 0;
  if (element == 2) {
    unshuffle_elements<2>(in.data(), count, out.data());
  } else if (element == 4) {
    unshuffle_elements<4>(in.data(), count, out.data());
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < element; ++k) out[i * element + k] = in[k * count + i];
    }
  }
  copy_rest(in, count * element, out);
}

}  // namespace eflow::io
