#include "eflow/trainer/config/model_config.hpp"

#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/nn/dit/video_dit.hpp"

namespace eflow::trainer {
namespace {

void require_divisor(const char* key, std::int64_t patch, std::int64_t size, const char* what) {
  if (size % patch == 0) return;
  throw InvalidArgument(
      str(key, ": expected a divisor of the clips' ", what, " = ", size, ", found ", patch));
}

}  // namespace

nn::DiTConfig dit_config(const Config& config, const ClipFormat& clips) {
  Config copy = config;
  apply_preset(&copy);
  const ModelConfig& m = copy.model;
  require_divisor("model.patch_t", m.patch.t, clips.frames, "frames");
  require_divisor("model.patch_h", m.patch.h, clips.height, "height");
  require_divisor("model.patch_w", m.patch.w, clips.width, "width");
  nn::DiTConfig dit = m;
  dit.channels = clips.channels;
  dit.frames = clips.frames;
  dit.height = clips.height;
  dit.width = clips.width;
  dit.classes = clips.classes;
  dit.context_dim = clips.context_dim;
  dit.hidden = std::llround(m.mlp_ratio * static_cast<double>(m.dim));
  dit.guidance_embedding = config.guidance.embed;
  nn::check(dit);
  return dit;
}

namespace {

std::string describe(bool labels, bool text) {
  if (labels && text) return "labels and text";
  return labels ? "labels" : text ? "text" : "no condition";
}

std::string_view condition_name(bool labels, bool text) {
  using enum ModelCondition;
  return name_of(labels && text ? kLabelText : labels ? kLabel : text ? kText : kNone);
}

}  // namespace

void check_condition(const Config& config, const ClipFormat& clips) {
  using enum ModelCondition;
  const ModelConfig& m = config.model;
  bool labels = m.condition == kLabel || m.condition == kLabelText;
  bool text = m.condition == kText || m.condition == kLabelText;
  std::string source = str("model.condition = ", name_of(m.condition));
  if (m.condition == kAuto) {
    if (m.preset == "custom") return;
    const nn::DiTConfig named = nn::preset(m.preset);
    labels = named.classes > 0;
    text = named.context_dim > 0;
    source = str("model.preset = ", m.preset);
  }
  const bool has_labels = clips.classes > 0, has_text = clips.context_dim > 0;
  if (labels == has_labels && text == has_text) return;
  throw InvalidArgument(str("model.condition: ", source, " takes ", describe(labels, text),
                            ", but the data have ", describe(has_labels, has_text), " (",
                            clips.classes, " classes, text of width ", clips.context_dim,
                            "); use data that have ", describe(labels, text),
                            ", or set model.condition = ", condition_name(has_labels, has_text),
                            " to train a model that takes ", describe(has_labels, has_text)));
}

bool is_causal(const Config& config) {
  return config.model.chunk_frames > 0 && config.objective.kind != ObjectiveKind::kEFlow;
}

std::unique_ptr<nn::VideoDiT> make_model(const Config& config, const ClipFormat& clips,
                                         Weights weights) {
  const RandomKey key{.seed = config.train.seed, .purpose = nn::kInitPurpose};
  const nn::Scope scope = nn::Scope(key).computing_in(config.train.precision);
  return std::make_unique<nn::VideoDiT>(weights == Weights::kDrawn ? scope : scope.without_values(),
                                        dit_config(config, clips));
}

}  // namespace eflow::trainer
