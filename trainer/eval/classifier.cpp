#include "eflow/trainer/eval/classifier.hpp"

#include <algorithm>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/layers/rope3d.hpp"

namespace eflow::trainer {
namespace {

std::int64_t largest_divisor(std::int64_t size, std::int64_t limit) {
  std::int64_t divisor = std::min(size, limit);
  while (size % divisor != 0) --divisor;
  return divisor;
}

/// The largest divisors of frames, height and width that give patches of at most 2 x 8 x 8.
nn::Patch classifier_patch(const ClipFormat& clips) {
  return {largest_divisor(clips.frames, 2), largest_divisor(clips.height, 8),
          largest_divisor(clips.width, 8)};
}

nn::Grid3 grid_of(const ClipFormat& clips) {
  return nn::token_grid(clips.frames, clips.height, clips.width, classifier_patch(clips));
}

}  // namespace

ClipClassifier::Block::Block(const nn::Scope& scope, const ClassifierConfig& c)
    : Module(scope),
      attention_norm_(child("attention_norm"), c.width),
      feed_forward_norm_(child("feed_forward_norm"), c.width),
      attention_(child("attention"), c.width, static_cast<int>(c.heads),
                 {.kind = nn::AttentionKind::kSoftmax}),
      feed_forward_(child("feed_forward"), c.width, 4 * c.width) {}

Tensor ClipClassifier::Block::operator()(const Tensor& x, const nn::RopeTables& tables) const {
  const Tensor y = x + attention_(attention_norm_(x), {tables});
  return y + feed_forward_(feed_forward_norm_(y));
}

ClipClassifier::ClipClassifier(const nn::Scope& scope, const ClipFormat& clips,
                               std::int64_t outputs, const ClassifierConfig& c)
    : Module(scope),
      patch_(child("patch"), clips.channels, classifier_patch(clips), c.width),
      tables_(nn::RopeTables::of_grid(grid_of(clips), c.width / c.heads, scope.dtype(),
                                      scope.device())),
      positions_(parameter("positions", {grid_of(clips).count(), c.width}, nn::normal_init(0.02))),
      norm_(child("norm"), c.width),
      head_(child("head"), c.width, outputs) {
  for (std::int64_t i = 0; i < c.blocks; ++i)
    blocks_.emplace_back(child("blocks." + std::to_string(i)), c);
}

Tensor ClipClassifier::features(const Tensor& x) const {
  Tensor tokens = patch_(x) + positions_;
  for (const Block& block : blocks_) tokens = block(tokens, tables_);
  return norm_(mean(tokens, {1}));
}

}  // namespace eflow::trainer
