#pragma once
// Passes: the ways one group of samples evaluates its network in one step, with all that must be the
// same in every pass of a sample: noise, kept tokens, guidance scale, condition.

#include "eflow/soflow/batch.hpp"
#include "eflow/soflow/objective_options.hpp"

namespace eflow::soflow {

/// A point on each sample's path from data to noise, and the velocity there. [Eq. 1]
struct PathPoint {
  Tensor x_t;  ///< (1 - t) x0 + t x1
  Tensor v;    ///< x1 - x0
  /// x1 by `key` and the batch's indices.
  PathPoint(const Batch& batch, const RandomKey& key, const PerSample& t);
};

class Passes {
 public:
  /// Draws what the samples share. `may_drop`: samples may lose their condition (label_drop).
  Passes(const ObjectiveOptions& options, Batch batch, std::int64_t step, bool may_drop);

  /// FULL(x, t, s, c, w; kept)
  [[nodiscard]] Tensor full(const Network& network, const Tensor& x, const PerSample& t,
                            const PerSample& s) const;
  /// WEAK(x, t): the velocity without a condition, by the kind of guidance.
  [[nodiscard]] Tensor weak(const Network& network, const Tensor& x, const PerSample& t) const;
  /// sg WEAK(x, t) where the factors ask for it, else undefined.
  [[nodiscard]] Tensor weak_target(const Network& network, const Tensor& x, const PerSample& t,
                                   const TargetFactors& factors) const;

  [[nodiscard]] PathPoint point(const PerSample& t) const;
  [[nodiscard]] PerSample draw(const LogitNormal& law, std::uint32_t purpose) const;
  [[nodiscard]] Times jumps() const;
  [[nodiscard]] TargetFactors factors(const PerSample& t) const;

 private:
  const ObjectiveOptions& options_;
  Batch batch_;
  std::int64_t step_;
  PerSample scales_;           ///< w
  std::vector<bool> dropped_;  ///< trained without their condition
  nn::Condition full_, weak_;
};

}  // namespace eflow::soflow
