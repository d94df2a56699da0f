#include "eflow/trainer/cost/model_flops.hpp"

#include <algorithm>
#include <cmath>

namespace eflow::trainer {
namespace {

/// Number of query-key pairs with |i - j| <= radius among n tokens in a row.
double pairs_in_window(double n, double radius) {
  if (radius >= n) return n * n;
  return n * (2 * radius + 1) - radius * (radius + 1);
}

/// FLOP of one attention layer for `tokens` tokens, a fraction `kept` of the raster. The window is
/// measured in raster tokens unless the model indexes kept tokens (WindowIndex::kCompact).
double attention_flops(const nn::DiTConfig& c, nn::AttentionKind kind, double tokens, double kept) {
  if (tokens == 0) return 0;
  const double width = static_cast<double>(c.dim), head = width / static_cast<double>(c.heads);
  const double raster = c.window_index == nn::WindowIndex::kOriginal ? kept : 1;
  const double all = pairs_in_window(tokens / raster, static_cast<double>(c.window_radius()));
  const double local = 4 * raster * raster * all * width;
  const double global = 4 * tokens * head * width;
  const double size = static_cast<double>(c.sparse_block), blocks = std::ceil(tokens / size);
  const double chosen =
      4 * tokens * width * size * std::max(1.0, std::round(c.sparse_share * blocks));
  switch (kind) {
    case nn::AttentionKind::kSoftmax:
      return 4 * tokens * tokens * width;
    case nn::AttentionKind::kWindow:
      return local;
    case nn::AttentionKind::kSla:  // with a head x head projection after the linear branch
      return chosen + global + 2 * tokens * head * width;
    case nn::AttentionKind::kVsa:  // with block scores and a gate of the full width
      return chosen + 4 * blocks * blocks * width + 2 * tokens * width * width;
    case nn::AttentionKind::kLinear:
    case nn::AttentionKind::kSana:
      return global;
    case nn::AttentionKind::kSum:
    case nn::AttentionKind::kGated:
      return local + global;
  }
  return 0;
}

}  // namespace

ForwardFlops forward_flops(const nn::DiTConfig& c, std::int64_t middle_tokens,
                           std::int64_t text_tokens) {
  const double width = static_cast<double>(c.dim), hidden = static_cast<double>(c.hidden);
  const double patch = static_cast<double>(c.patch_values());
  const double tokens = static_cast<double>(c.grid().count());
  const double kept = middle_tokens < 0 ? tokens : static_cast<double>(middle_tokens);
  ForwardFlops flops;
  flops.products = 2 * tokens * 2 * patch * width +
                   2 * (256 * width + width * width) * (c.gap != nn::GapInput::kNone ? 2 : 1) +
                   2 * width * 6 * width;
  if (c.long_residual) flops.products += 2 * tokens * 2 * width * width;
  const double text = c.context_dim > 0 ? static_cast<double>(text_tokens) : 0;
  flops.products += 2 * text * (static_cast<double>(c.context_dim) + width) * width;
  for (std::int64_t i = 0; i < c.blocks(); ++i) {
    const bool middle = i >= c.encoder && i < c.encoder + c.middle;
    const double n = middle ? kept : tokens;
    const double feed_forward = c.feed_forward == nn::FeedForwardKind::kMix
                                    ? 3 * width * hidden + 9 * 2 * hidden
                                    : 2 * width * hidden;
    flops.products += 2 * n * (4 * width * width + feed_forward);
    flops.attention += attention_flops(c, c.attention_of(i), n, n / tokens);
    if (n == 0 || text == 0) continue;
    flops.products += 2 * 2 * (n + text) * width * width;  // cross-attention: q and out, k and v
    flops.attention += 4 * n * text * width;
  }
  return flops;
}

double passes_per_clip(const soflow::ObjectiveOptions& objective, std::int64_t step,
                       const PassCosts& cost) {
  using soflow::LossGroup;
  const auto& pattern = objective.pattern_at(step);
  const soflow::GuidanceOptions& guidance = objective.guidance;
  const bool by_weak_path = guidance.kind == soflow::Unconditional::kWeakPath;
  const double fm = share_of(pattern, LossGroup::kFlowMatching);
  const double weak = by_weak_path ? fm * guidance.path_drop : 0;
  const double scm = share_of(pattern, LossGroup::kSolutionConsistency);
  const double mva = share_of(pattern, LossGroup::kMeanVelocityAdditivity);
  double passes = (3 * (fm - weak) + 4 * scm + 5 * mva) * cost.full + 3 * weak * cost.weak;
  if (guidance.scale != 1 || guidance.scale_max > 1) {
    passes += (fm - weak + scm) * (by_weak_path ? cost.weak : cost.full);
  }
  if (guidance.mix != 1) passes += scm * cost.full;
  return passes;
}

double anyflow_passes(const soflow::AnyFlowOptions& options) {
  return (options.guidance != 1 ? 6 : 5) * (options.causal ? 2 : 1);
}

double on_policy_passes(const soflow::AnyFlowOptions& first_stage, const std::vector<int>& rollouts,
                        bool cotrain) {
  double jumps = 0;
  for (const int n : rollouts) jumps += n == 1 ? 1 : 3 - 2.0 / n;
  jumps /= static_cast<double>(rollouts.size());
  return 3 * jumps + 2 + jumps + 3 + (cotrain ? anyflow_passes(first_stage) : 0);
}

double step_flops(const nn::DiTConfig& config, const soflow::ObjectiveOptions& objective,
                  std::int64_t step, std::int64_t text_tokens) {
  const double full = forward_flops(config, objective.kept_at(step), text_tokens).total();
  const double weak = forward_flops(config, 0, text_tokens).total();
  return passes_per_clip(objective, step, {full, weak});
}

}  // namespace eflow::trainer
