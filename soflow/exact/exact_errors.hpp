#pragma once
// Errors of a trained network on an exactly known flow (exact_flow.hpp): of its velocities, of its
// jumps, of the composition of two jumps, and of its samples.

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/exact/exact_flow.hpp"
#include "eflow/soflow/sampling/sampler.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

struct ExactErrorOptions {
  std::int64_t clips = 256;               ///< evaluation clips; never trained on
  std::uint64_t seed = 1;                 ///< of the clips' noise
  double w = 1;                           ///< kGuided: guidance scale to evaluate
  bool tell_w = false;                    ///< pass w to the network (guidance embedding)
  double shift = 3;                       ///< of the sampling grids
  std::vector<int> steps = {1, 2, 4, 8};  ///< step counts of the samplers
};

/// Errors are mean squares over clips and elements unless stated otherwise.
struct ExactErrors {
  /// Error of a velocity (s = t) or of a jump, from x_t of the true process.
  struct At {
    double t = 0, s = 0;
    double error = 0;     ///< |F - v|^2 or |f_theta - f|^2
    double relative = 0;  ///< error over |v|^2 or |x_t - f|^2
  };
  std::vector<At> velocity = {}, map = {};
  /// kGuided: the weak path at (x_t, t) against the unconditioned velocity.
  std::vector<At> weak_velocity = {};

  /// Semigroup defects |f(f(x_t, t, l), l, s) - f(x_t, t, s)|^2 of the network: over neighbouring
  /// steps of the 8-step grid, over 1 -> l -> 0 for each inner l of that grid, and over random
  /// (t, l, s).
  double grid_defect = 0, endpoint_defect = 0, random_defect = 0;

  /// F(x_1, 1, 0) - F(x_1, 1, 1): the difference between the mean velocity of the full jump and the
  /// velocity at its start, which flow matching alone does not learn. Root mean squares.
  struct Gap {
    double learned = 0;  ///< of the network
    double needed = 0;   ///< of the exact network
    double error = 0;    ///< of their difference, divided by `needed`
  };
  Gap gap = {};

  /// Endpoints of a sampler, compared with the exact network under the same sampler and noise.
  /// Euler endpoints are compared with the exact solution.
  struct Samples {
    Sampler sampler = Sampler::kRenoise;
    int steps = 1;
    double error = 0, relative = 0;  ///< |x - exact|^2, and the same over |x_1 - exact|^2
    double covariance = 0;           ///< sum_k (var_k - true_k)^2 / sum_k true_k^2 over coordinates
    double wasserstein = 0;          ///< mean W2^2 between the coordinates' Gaussians
  };
  std::vector<Samples> samples = {};
  std::vector<Samples> exact_euler = {};  ///< Euler steps of the exact velocity: the discretisation
  Samples floor = {};  ///< covariance and wasserstein of exact samples: the finite-sample error
};

/// Evaluates `network` in f32. Nothing is recorded by autograd.
[[nodiscard]] ExactErrors exact_errors(const Network& network, const ExactFlow& flow,
                                       const ExactErrorOptions& options);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
