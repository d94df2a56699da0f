#pragma once
// From noise to a sample in a few evaluations of a network. [arXiv 2603.27086, Alg. 2 and Eq. 12]

#include <optional>
#include <string_view>

#include "eflow/soflow/guidance.hpp"
#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

enum class Sampler {
  kRenoise,  ///< x0 = f(x, t, 0), then noise of its own for the next time
  kCompose,  ///< x = f(x, t, t'): deterministic
  kEuler,    ///< x = x + (t' - t) F(x, t, t): for models of the velocity alone
  kBridge,   ///< x_u = f(x, t, u), u = bridge t', then as much noise as leads from u to t'
};

/// "renoise", "compose", "euler", "bridge".
[[nodiscard]] std::string_view name_of(Sampler sampler);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] Sampler sampler_kind(std::string_view name);

struct SampleOptions {
  Sampler sampler = Sampler::kRenoise;
  int steps = 4;
  double shift = 1;  ///< of the time grid
  std::uint64_t seed = 0;
  double bridge = 0.5;  ///< of kBridge: 0 is kRenoise, 1 is kCompose
  /// Called after each step; false cancels.
  std::function<bool(int done, int steps)> progress;
};

/// A network that is steered when it is asked: F_weak + w (F - F_weak), F_weak the network without a
/// condition, by its weak path or with `null_label` and no context. Two evaluations for one, for
/// models whose guidance was not trained in.
[[nodiscard]] Network guided(const Network& network, double w, Unconditional kind,
                             std::int64_t null_label);

/// S_shift(n / steps), n = steps .. 0: from 1 to 0. Throws InvalidArgument for steps < 1.
[[nodiscard]] std::vector<double> time_grid(int steps, double shift);

/// x1 of samples with these ids; shape [B, ...].
[[nodiscard]] Tensor sample_noise(const Shape& shape, std::uint64_t seed,
                                  const std::vector<std::int64_t>& ids, DType dtype = DType::kF32,
                                  const DevicePtr& device = default_device());

/// Samples from x1 [B, ...] of sample_noise(); nothing when cancelled. Sample b depends on x1[b],
/// its id and the seed alone, so a batch may be cut anywhere. Nothing is recorded.
[[nodiscard]] std::optional<Tensor> sample(const Network& network, const Tensor& x1,
                                           const std::vector<std::int64_t>& ids,
                                           const nn::Condition& condition,
                                           const SampleOptions& options = {});

}  // namespace eflow::soflow
