#pragma once
// The held-out error: raw, unguided flow-matching error on clips that are not trained on. Clips,
// times and noise never change, so the error can be compared between steps and between runs on one
// data set.

#include <vector>

#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/soflow/objective/held_out_error.hpp"

namespace eflow::trainer {

class HeldOutError {
 public:
  /// Selects `clips` clips of `source`, which is read here only; t is drawn from `law`. Of several
  /// ranks, each takes a contiguous part of the clips.
  HeldOutError(const io::ClipSource& source, std::int64_t clips, const soflow::LogitNormal& law,
               int rank = 0, int ranks = 1);

  /// Mean over elements of |F(x_t, t, t | label) - (x_1 - x_0)|^2 for each clip of this rank, which
  /// does not depend on the other clips. Pass the network with the averaged weights and the
  /// `guidance` options that it was trained with.
  [[nodiscard]] std::vector<double> errors(const soflow::Network& network,
                                           const soflow::GuidanceOptions& guidance = {}) const;
  /// The error of one rank: the mean of errors().
  [[nodiscard]] double measure(const soflow::Network& network,
                               const soflow::GuidanceOptions& guidance = {}) const;
  /// The mean over all clips, given in the order of the ranks.
  [[nodiscard]] static double mean(const std::vector<double>& errors);

 private:
  std::vector<soflow::Batch> parts_;
  soflow::LogitNormal law_;
};

}  // namespace eflow::trainer
