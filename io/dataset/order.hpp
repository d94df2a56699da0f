#pragma once
// The order in which samples are visited: one keyed permutation of the sample indices per epoch. It
// is a pure function of (seed, position), so the batch size, the number of workers or ranks, and an
// interruption do not change it.

#include <cstdint>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

enum class Shuffle { kYes, kNo };

/// The infinite sequence of sample indices; each epoch is a permutation of [0, count). A value
/// type; const calls are thread-safe.
class SampleOrder {
 public:
  /// Throws InvalidArgument unless 1 <= count <= 2^62.
  SampleOrder(std::int64_t count, std::uint64_t seed, Shuffle shuffle = Shuffle::kYes);

  /// Returns the sample at global position p >= 0, that is, at offset p % count of epoch p / count.
  /// Throws InvalidArgument if p < 0. O(1): a 6-round Feistel network on the smallest even number
  /// of bits that covers count, iterated until the value is in range (fewer than 4 iterations
  /// expected).
  [[nodiscard]] std::int64_t index_at(std::int64_t position) const;
  /// Returns 64 uniform random bits that belong to this position: Philox of the seed and the
  /// position.
  [[nodiscard]] std::uint64_t draw_at(std::int64_t position) const;
  [[nodiscard]] std::int64_t epoch_of(std::int64_t position) const { return position / count_; }
  [[nodiscard]] std::int64_t count() const { return count_; }

 private:
  std::int64_t count_;
  std::uint64_t seed_;
  Shuffle shuffle_;
  int half_bits_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
