#include "eflow/soflow/objective/given_frames.hpp"

#include <algorithm>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/soflow/objective/batch.hpp"

namespace eflow::soflow {

std::vector<std::int64_t> draw_given(const GivenFrames& law, const RandomKey& key,
                                     const std::vector<std::int64_t>& ids,
                                     std::int64_t token_frames) {
  const auto batch = static_cast<std::int64_t>(ids.size());
  const std::int64_t most = std::min(law.most, token_frames - 1);
  const PerSample u = uniform_values({batch, 2}, key, ids);
  std::vector<std::int64_t> counts;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto drawn = 1 + static_cast<std::int64_t>(u[2 * i + 1] * static_cast<double>(most));
    counts.push_back(u[2 * i] < law.share ? std::min(drawn, most) : 0);
  }
  return counts;
}

Tensor first_frames_known(const std::vector<std::int64_t>& counts, std::int64_t token_frames,
                          const Tensor& like) {
  PerSample known;
  for (const std::int64_t count : counts) {
    for (std::int64_t frame = 0; frame < token_frames; ++frame)
      known.push_back(frame < count ? 1 : 0);
  }
  const auto batch = static_cast<std::int64_t>(counts.size());
  return reshape(as_times(known, like), {batch, token_frames});
}

void give_frames(const GivenFrames& law, const RandomKey& key, const Batch& batch,
                 nn::Condition* condition) {
  if (law.share == 0) return;
  const std::int64_t frames = batch.x0.size(2) / law.patch_t;
  condition->given = batch.x0;
  condition->known =
      first_frames_known(draw_given(law, key, batch.indices, frames), frames, batch.x0);
}

}  // namespace eflow::soflow
