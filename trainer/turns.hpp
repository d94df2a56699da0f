#pragma once
// Turns: which of several things has which step, each its share of a hundred steps, spread evenly.
// A pure function of the step, so that a resumed run goes on with the same.

#include <array>
#include <cstdint>
#include <vector>

namespace eflow::trainer {

class Turns {
 public:
  /// Shares of things 1, 2, ... in whole hundredths; thing 0 has the rest, which is not nothing.
  /// Throws InvalidArgument.
  explicit Turns(const std::vector<double>& shares);

  /// Who has this step, counted from 0.
  [[nodiscard]] std::size_t at(std::int64_t step) const;
  /// How many of the steps before this one `who` had.
  [[nodiscard]] std::int64_t before(std::size_t who, std::int64_t step) const;

 private:
  std::array<std::size_t, 100> pattern_{};
};

}  // namespace eflow::trainer
