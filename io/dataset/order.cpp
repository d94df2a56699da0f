#include "eflow/io/dataset/order.hpp"

#include <bit>

#include "eflow/core/base/error.hpp"
#include "eflow/kernels_src/philox.h"

namespace eflow::io {
namespace {

constexpr int kRounds = 6;

/// The finaliser of SplitMix64: every input bit reaches every output bit.
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

/// A Feistel network: a permutation of [0, 4^half_bits) for any round function.
std::uint64_t feistel(std::uint64_t value, int half_bits, std::uint64_t key) {
  const std::uint64_t mask = (1ull << half_bits) - 1;
  std::uint64_t left = value >> half_bits, right = value & mask;
  for (int round = 0; round < kRounds; ++round) {
    key += 0x9e3779b97f4a7c15ull;
    const std::uint64_t next = left ^ (mix(mix(key) ^ right) & mask);
    left = right;
    right = next;
  }
  return left << half_bits | right;
}

}  // namespace

SampleOrder::SampleOrder(std::int64_t count, std::uint64_t seed, Shuffle shuffle)
    : count_(count), seed_(seed), shuffle_(shuffle) {
  if (count < 1 || count > std::int64_t{1} << 62) {
    throw InvalidArgument(str("[order] ", count, " samples; expected 1 to 2^62"));
  }
  const int bits = std::bit_width(static_cast<std::uint64_t>(count - 1));
  half_bits_ = bits < 2 ? 1 : (bits + 1) / 2;
}

std::int64_t SampleOrder::index_at(std::int64_t position) const {
  if (position < 0) throw InvalidArgument(str("[order] position ", position, " is negative"));
  const auto offset = static_cast<std::uint64_t>(position % count_);
  if (shuffle_ == Shuffle::kNo) return static_cast<std::int64_t>(offset);
  const std::uint64_t key = mix(seed_ ^ mix(static_cast<std::uint64_t>(epoch_of(position)) + 1));
  // Cycle walking: following a permutation until it re-enters [0, count) permutes that range.
  std::uint64_t value = offset;
  do {
    value = feistel(value, half_bits_, key);
  } while (value >= static_cast<std::uint64_t>(count_));
  return static_cast<std::int64_t>(value);
}

std::uint64_t SampleOrder::draw_at(std::int64_t position) const {
  constexpr eflow_text::u32 kCaption = 2;  // purposes 1 and 16 on are the training step's
  const auto words = eflow_text::sample_words(eflow_text::stream_key(seed_, kCaption, 0),
                                              static_cast<std::uint64_t>(position), 0);
  return std::uint64_t{words.at[0]} << 32 | words.at[1];
}

}  // namespace eflow::io
