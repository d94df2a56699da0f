#pragma once
// SampleContext: how samples evaluate a network in one step. It holds everything that must be the
// same in all passes of a sample: noise, kept tokens, guidance scale and condition. A difference in
// any of them would be multiplied by 1 / r in the SCM target. All of it follows from the samples'
// indices, so a sample has the same in the context of its group and in that of several groups.

#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/batch.hpp"
#include "eflow/soflow/objective/objective_options.hpp"

namespace eflow::soflow {

/// A point on each sample's path from data to noise, and the path's velocity. [Eq. 1]
struct PathPoint {
  Tensor x_t;  ///< (1 - t) x0 + t x1
  Tensor v;    ///< x1 - x0
  /// Draws x1 from `key` and the batch's indices.
  PathPoint(const Batch& batch, const RandomKey& key, const PerSample& t);
};

class SampleContext {
 public:
  /// Draws what the samples share. may_drop, one per sample: it may lose its condition (label_drop).
  /// `options` must outlive the object.
  SampleContext(const ObjectiveOptions& options, Batch batch, std::int64_t step,
                const std::vector<bool>& may_drop);

  /// F(x, t, s | c, w) of the full network over the kept tokens.
  [[nodiscard]] Tensor full(const Network& network, const Tensor& x, const PerSample& t,
                            const PerSample& s) const;
  /// The unconditional velocity F(x, t, t): by the weak path or the null condition, as
  /// GuidanceOptions::kind says. [Eq. 10]
  [[nodiscard]] Tensor unconditional(const Network& network, const Tensor& x,
                                     const PerSample& t) const;
  /// sg of unconditional() if the factors need it, otherwise undefined.
  [[nodiscard]] Tensor target_uncond(const Network& network, const Tensor& x, const PerSample& t,
                                     const TargetFactors& factors) const;

  /// x_t and v at time t. Calls for one object share the noise.
  [[nodiscard]] PathPoint point(const PerSample& t) const;
  /// One time per sample.
  [[nodiscard]] PerSample draw(const LogitNormal& law, std::uint32_t purpose) const;
  /// The times t, l, s of MVA.
  [[nodiscard]] Times jumps() const;
  /// The coefficients of Eq. 11 at time t.
  [[nodiscard]] TargetFactors factors(const PerSample& t) const;

 private:
  const ObjectiveOptions& options_;
  Batch batch_;
  std::int64_t step_;
  PerSample scales_;           ///< w
  std::vector<bool> dropped_;  ///< trained unconditioned
  nn::Condition full_, unconditional_;
};

}  // namespace eflow::soflow
