#include "eflow/trainer/model_flops.hpp"

#include <algorithm>

namespace eflow::trainer {
namespace {

/// Query-key pairs with |i - j| <= radius, of n tokens in a row.
double pairs_in_window(double n, double radius) {
  if (radius >= n) return n * n;
  return n * (2 * radius + 1) - radius * (radius + 1);
}

double attention_flops(const nn::DiTConfig& c, nn::AttentionKind kind, double tokens) {
  const double width = static_cast<double>(c.dim), head = width / static_cast<double>(c.heads);
  const double local = 4 * pairs_in_window(tokens, static_cast<double>(c.window_radius())) * width;
  const double global = 4 * tokens * head * width;
  switch (kind) {
    case nn::AttentionKind::kSoftmax:
      return 4 * tokens * tokens * width;
    case nn::AttentionKind::kWindow:
      return local;
    case nn::AttentionKind::kLinear:
      return global;
    case nn::AttentionKind::kSum:
    case nn::AttentionKind::kGated:
      return local + global;
  }
  return 0;
}

}  // namespace

ForwardFlops forward_flops(const nn::DiTConfig& c) {
  const double width = static_cast<double>(c.dim), hidden = static_cast<double>(c.hidden);
  const double patch = static_cast<double>(c.patch_values()),
               blocks = static_cast<double>(c.blocks());
  const nn::Grid3 grid = c.grid();
  const double tokens = static_cast<double>(grid.count());
  ForwardFlops flops;
  const double embeddings =
      2 * (256 * width + width * width) * (c.gap_embedding ? 2 : 1) + 2 * width * 6 * width;
  flops.products =
      2 * tokens * (2 * patch * width + blocks * (4 * width * width + 2 * width * hidden)) +
      embeddings;
  if (c.long_residual) flops.products += 2 * tokens * 2 * width * width;
  for (std::int64_t i = 0; i < c.blocks(); ++i)
    flops.attention += attention_flops(c, c.attention_of(i), tokens);
  return flops;
}

double passes_per_clip(const soflow::ObjectiveOptions& objective) {
  const auto& pattern = objective.pattern;
  const double fm = static_cast<double>(std::count(pattern.begin(), pattern.end(),
                                                   soflow::LossGroup::kFlowMatching)) /
                    static_cast<double>(pattern.size());
  const bool guided = objective.guidance.scale != 1, mixed = objective.guidance.mix != 1;
  return 3 * fm + 4 * (1 - fm) + (guided ? 1 : 0) + (mixed ? 1 - fm : 0);
}

}  // namespace eflow::trainer
