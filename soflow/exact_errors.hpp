#pragma once
// How far a trained network is from a flow that is known exactly: its velocities, its jumps, whether
// two jumps are one, and where its samples end.

#include "eflow/soflow/exact_flow.hpp"
#include "eflow/soflow/sampler.hpp"

namespace eflow::soflow {

struct ExactErrorOptions {
  std::int64_t clips = 256;  ///< never trained on
  std::uint64_t seed = 1;    ///< of their noise
  double w = 1;              ///< kGuided: the guidance scale that is told and measured against
  bool tell_w = false;       ///< whether the network takes it
  double shift = 3;          ///< of the sampling grids
  std::vector<int> steps = {1, 2, 4, 8};
};

/// All errors are means over clips and elements of squares.
struct ExactErrors {
  /// A velocity (s = t) or a jump from x_t of the true process.
  struct At {
    double t = 0, s = 0;
    double error = 0;     ///< |F - v|^2 or |f_theta - f|^2
    double relative = 0;  ///< over |v|^2 or |x_t - f|^2
  };
  std::vector<At> velocity, map;
  std::vector<At>
      weak_velocity;  ///< kGuided: WEAK(x_t, t) against the velocity without a condition

  /// |f(f(x_t, t, l), l, s) - f(x_t, t, s)|^2 of the network: neighbouring steps of the 8-step grid,
  /// 1 -> l -> 0 for all its l, and random l and s.
  double grid_defect = 0, endpoint_defect = 0, random_defect = 0;

  /// How far the whole jump's mean velocity is from the velocity at its start, at t = 1: the part of
  /// a solution that flow matching alone does not know. Root mean squares over clips and elements.
  struct Gap {
    double learned = 0;  ///< of F(x_1, 1, 0) - F(x_1, 1, 1)
    double needed = 0;   ///< the exact network's
    double error = 0;    ///< of the difference of the two, over the needed
  };
  Gap gap;

  /// N steps of a sampler from the same noise as the exact network with the same sampler; of Euler
  /// steps, as the exact solution.
  struct Samples {
    Sampler sampler = Sampler::kRenoise;
    int steps = 1;
    double error = 0, relative = 0;  ///< |x - exact|^2, over |x_1 - exact|^2
    double covariance = 0;           ///< sum_k (var_k - true)^2 / sum_k true^2, cosine coordinates
    double wasserstein = 0;          ///< W2^2 of the coordinates' Gaussians, mean over them
  };
  std::vector<Samples> samples;
  std::vector<Samples> exact_euler;  ///< Euler steps of the exact velocity: what N steps allow
  Samples
      floor;  ///< covariance and wasserstein of the exact samples: what the number of clips allows
};

/// Measures `network`, in f32. Nothing is recorded.
[[nodiscard]] ExactErrors exact_errors(const Network& network, const ExactFlow& flow,
                                       const ExactErrorOptions& options);

}  // namespace eflow::soflow
