#include "eflow/soflow/objective/held_out_error.hpp"

#include <algorithm>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/soflow/objective/purpose.hpp"
#include "eflow/soflow/objective/sample_context.hpp"

namespace eflow::soflow {

PerSample held_out_error(const Network& network, const Batch& batch, const LogitNormal& law,
                         std::uint64_t seed, const GuidanceOptions& guidance) {
  batch.check();
  const NoGrad off;
  const RandomKey time{.seed = seed, .purpose = kHeldOutTime};
  const RandomKey noise{.seed = seed, .purpose = kHeldOutNoise};
  const PerSample t = draw_times(law, time, batch.indices);
  const PathPoint at(batch, noise, t);

  ObjectiveOptions options;
  options.guidance = guidance;
  const double w = std::max(guidance.scale, (guidance.scale + guidance.scale_max) / 2);
  options.guidance.scale = options.guidance.scale_max = w;
  const SampleContext context(options, batch, 0, std::vector<bool>(batch.size()));
  Tensor F = context.full(network, at.x_t, t, t);
  if (w != 1) F = (F + context.unconditional(network, at.x_t, t) * (w - 1)) / w;
  return fm_loss(F, at.v, {}).mse.to_vector<double>();
}

}  // namespace eflow::soflow
