#pragma once
// The order in which samples are seen: a keyed permutation of the sample index for each epoch. It
// is a pure function of (seed, position), so that batch size, workers, ranks and the place where a
// run stopped never change it.

#include <cstdint>

namespace eflow::io {

enum class Shuffle { kYes, kNo };

/// The endless sequence of sample indices: epoch after epoch, each a permutation of [0, count).
/// A value type; const calls may run at once.
class SampleOrder {
 public:
  /// Throws InvalidArgument unless 1 <= count <= 2^62.
  SampleOrder(std::int64_t count, std::uint64_t seed, Shuffle shuffle = Shuffle::kYes);

  /// The sample at global position p >= 0: epoch p / count, place p % count. O(1): a 6-round
  /// Feistel network on the smallest even number of bits, walked until it lands in range (fewer
  /// than 4 walks expected).
  [[nodiscard]] std::int64_t index_at(std::int64_t position) const;
  [[nodiscard]] std::int64_t epoch_of(std::int64_t position) const { return position / count_; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

 private:
  std::int64_t count_;
  std::uint64_t seed_;
  Shuffle shuffle_;
  int half_bits_;
};

}  // namespace eflow::io
