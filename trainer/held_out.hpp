#pragma once
// The held-out error: raw, unguided flow-matching error on clips that are not trained on, with clips, times and noise
// that never change during a run. It can be compared from step to step and between runs of one data set.

#include "eflow/io/clip_source.hpp"
#include "eflow/soflow/held_out_error.hpp"

namespace eflow::trainer {

class HeldOutError {
 public:
  /// Chooses `clips` of `source`, which is read here and not again; t follows `law`.
  HeldOutError(const io::ClipSource& source, std::int64_t clips, const soflow::LogitNormal& law);

  /// Mean over clips of mean_e |F(x_t, t, t | label) - (x1 - x0)|^2. Pass the averaged weights.
  /// `guidance`: what the network was trained with.
  [[nodiscard]] double measure(const soflow::Network& network,
                               const soflow::GuidanceOptions& guidance = {}) const;

 private:
  std::vector<soflow::Batch> parts_;
  soflow::LogitNormal law_;
};

}  // namespace eflow::trainer
