#include "eflow/trainer/data/assumed_clips.hpp"

#include <algorithm>
#include <cstdio>
#include <random>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/dit/config.hpp"

namespace eflow::trainer {
namespace {

constexpr std::int64_t kAssumedTextWidth = 4096;

void fill(std::span<float> values, std::uint64_t seed) {
  std::minstd_rand bits(static_cast<std::uint32_t>(seed) + 1);
  constexpr float kScale = 2.0f / static_cast<float>(std::minstd_rand::max());
  for (float& value : values) value = static_cast<float>(bits()) * kScale - 1.0f;
}

}  // namespace

ClipFormat assumed_format(const Config& config) {
  long long c = 0, t = 0, h = 0, w = 0;
  int end = 0;
  const std::string& text = config.data.clip;
  const bool ok = std::sscanf(text.c_str(), "%lldx%lldx%lldx%lld%n", &c, &t, &h, &w, &end) == 4 &&
                  static_cast<std::size_t>(end) == text.size();
  if (!ok || std::min({c, t, h, w}) < 1) {
    throw InvalidArgument(
        str("data.clip: expected CxTxHxW, such as 16x8x32x32, as data.dir is "
            "empty; found '",
            text, "'"));
  }
  ClipFormat clips{c, t, h, w, 0, 0};
  using enum ModelCondition;
  const ModelCondition condition = config.model.condition;
  if (condition == kText || condition == kLabelText) clips.context_dim = kAssumedTextWidth;
  if (config.model.preset == "custom") return clips;
  const nn::DiTConfig named = nn::preset(config.model.preset);
  if (condition != kNone && condition != kText) clips.classes = named.classes;
  if (condition != kNone && condition != kLabel && named.context_dim > 0)
    clips.context_dim = named.context_dim;
  return clips;
}

AssumedClips::AssumedClips(const Config& config)
    : format_(assumed_format(config)),
      text_length_(config.data.context_length > 0 ? config.data.context_length : kUsualTextLength) {
}

Shape AssumedClips::context_shape() const {
  return format_.context_dim == 0 ? Shape{} : Shape{text_length_, format_.context_dim};
}

std::int32_t AssumedClips::read(std::int64_t index, std::span<float> clip) const {
  fill(clip, static_cast<std::uint64_t>(index));
  return static_cast<std::int32_t>(index % std::max<std::int64_t>(1, format_.classes));
}

void AssumedClips::read_context(std::int64_t index, std::uint64_t draw,
                                std::span<float> context) const {
  fill(context, static_cast<std::uint64_t>(index) ^ draw);
}

}  // namespace eflow::trainer
