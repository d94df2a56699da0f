#pragma once
// Samplers: from noise to a sample in a few evaluations of a network.
// [arXiv 2603.27086, Alg. 2 and Eq. 12]

#include <array>
#include <optional>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/objective/guidance.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// One step from time t to t'.
enum class Sampler {
  kRenoise,  ///< x0 = f(x, t, 0), then fresh noise up to t' [Alg. 2]
  kCompose,  ///< x = f(x, t, t'), deterministic: the composition that MVA trains [Eq. 12]
  kEuler,    ///< x = x + (t' - t) F(x, t, t), for models trained with flow matching only
  kBridge,   ///< x_u = f(x, t, u) at u = bridge t', then fresh noise from u to t'
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 4> kSamplerNames = {"renoise", "compose", "euler",
                                                                  "bridge"};
[[nodiscard]] std::string_view name_of(Sampler sampler);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] Sampler sampler_kind(std::string_view name);

struct SampleOptions {
  Sampler sampler = Sampler::kRenoise;
  int steps = 4;
  double shift = 1;  ///< of the time grid
  std::uint64_t seed = 0;
  double bridge = 0.5;  ///< kBridge: u / t'; 0 equals kRenoise, 1 equals kCompose
  /// Called after each step. Sampling is cancelled if it returns false.
  std::function<bool(int done, int steps)> progress = {};
};

/// Applies classifier-free or path-drop guidance at sampling time: returns the network F_uncond + w
/// (F - F_uncond), where F_uncond is the weak path or the network with null_label and the
/// null context. Costs two evaluations per call. For models that were not trained with guidance.
[[nodiscard]] Network guided(const Network& network, double w, Unconditional kind,
                             std::int64_t null_label);

/// Returns S_shift(n / steps) for n = steps .. 0, from 1 to 0. Throws InvalidArgument if steps < 1.
[[nodiscard]] std::vector<double> time_grid(int steps, double shift);

/// Returns the noise x1 of the samples with these ids; shape [B, ...] with B = ids.size().
[[nodiscard]] Tensor sample_noise(const Shape& shape, std::uint64_t seed,
                                  const std::vector<std::int64_t>& ids, DType dtype = DType::kF32,
                                  const DevicePtr& device = default_device());

/// Samples from x1 [B, ...] of sample_noise(); nullopt if cancelled. Sample b depends on x1[b],
/// ids[b] and the seed only, so a batch may be divided anywhere. Nothing is recorded by autograd.
/// Throws ShapeError unless x1 has ids.size() rows.
[[nodiscard]] std::optional<Tensor> sample(const Network& network, const Tensor& x1,
                                           const std::vector<std::int64_t>& ids,
                                           const nn::Condition& condition,
                                           const SampleOptions& options = {});

}  // namespace eflow::soflow

EFLOW_EXPORT_END
