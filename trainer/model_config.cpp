#include "eflow/trainer/model_config.hpp"

#include <cmath>

#include "eflow/base/error.hpp"

namespace eflow::trainer {
namespace {

ModelConfig model_config_of(const nn::DiTConfig& dit) {
  ModelConfig m;
  m.dim = dit.dim;
  m.heads = dit.heads;
  m.encoder = dit.encoder;
  m.middle = dit.middle;
  m.decoder = dit.decoder;
  m.mlp_ratio = static_cast<double>(dit.hidden) / static_cast<double>(dit.dim);
  m.patch_t = dit.patch.t;
  m.patch_h = dit.patch.h;
  m.patch_w = dit.patch.w;
  m.attention = nn::name_of(dit.attention);
  m.window_frames = dit.window_frames;
  m.window_index = nn::name_of(dit.window_index);
  m.softmax_every = dit.softmax_every;
  m.sparse_block = dit.sparse_block;
  m.sparse_share = dit.sparse_share;
  m.feed_forward = nn::name_of(dit.feed_forward);
  m.gates = nn::name_of(dit.gates);
  m.position_table = dit.position_table;
  m.position_scale = dit.position_scale;
  m.time_scale = dit.time_scale;
  m.prediction = nn::name_of(dit.prediction);
  m.time_floor = dit.time_floor;
  m.chunk_frames = dit.chunk_frames;
  return m;
}

void require_divisor(const char* key, std::int64_t patch, std::int64_t size, const char* what) {
  if (size % patch == 0) return;
  throw InvalidArgument(
      str(key, ": expected a divisor of the clips' ", what, " = ", size, ", found ", patch));
}

}  // namespace

void apply_preset(Config* config, const std::function<bool(const std::string& key)>& given) {
  if (config->model.preset == "custom") return;
  Config named;
  named.model = model_config_of(nn::preset(config->model.preset));
  const auto from = options_of(named), to = options_of(*config);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::string& key = to[i].key;
    if (key.rfind("model.", 0) != 0 || key == "model.preset" || given(key)) continue;
    const std::string problem = set_option(to[i], value_text(from[i]));
    if (!problem.empty()) throw InvalidArgument(problem);
  }
}

nn::DiTConfig dit_config(const Config& config, const ClipFormat& clips) {
  const ModelConfig& m = config.model;
  require_divisor("model.patch_t", m.patch_t, clips.frames, "frames");
  require_divisor("model.patch_h", m.patch_h, clips.height, "height");
  require_divisor("model.patch_w", m.patch_w, clips.width, "width");
  nn::DiTConfig dit;
  dit.channels = clips.channels;
  dit.frames = clips.frames;
  dit.height = clips.height;
  dit.width = clips.width;
  dit.classes = clips.classes;
  dit.context_dim = clips.context_dim;
  dit.patch = {m.patch_t, m.patch_h, m.patch_w};
  dit.dim = m.dim;
  dit.heads = m.heads;
  dit.hidden = std::llround(m.mlp_ratio * static_cast<double>(m.dim));
  dit.encoder = m.encoder;
  dit.middle = m.middle;
  dit.decoder = m.decoder;
  dit.attention = nn::attention_kind(m.attention);
  dit.gates = nn::gate_kind(m.gates);
  dit.window_frames = m.window_frames;
  dit.window_index = nn::window_index(m.window_index);
  dit.softmax_every = m.softmax_every;
  dit.sparse_block = m.sparse_block;
  dit.sparse_share = m.sparse_share;
  dit.feed_forward = nn::feed_forward_kind(m.feed_forward);
  dit.position_table = m.position_table;
  dit.position_scale = m.position_scale;
  dit.time_scale = m.time_scale;
  dit.prediction = nn::prediction_kind(m.prediction);
  dit.time_floor = m.time_floor;
  dit.chunk_frames = m.chunk_frames;
  dit.guidance_embedding = config.guidance.embed;
  dit.recompute = config.train.recompute;
  nn::check(dit);
  return dit;
}

bool is_causal(const Config& config) {
  return config.model.chunk_frames > 0 && config.objective.kind != "eflow";
}

DType compute_dtype(const Config& config) {
  return *dtype_from_name(config.train.precision);
}

std::unique_ptr<nn::VideoDiT> make_model(const Config& config, const ClipFormat& clips) {
  const RandomKey key{.seed = static_cast<std::uint64_t>(config.train.seed),
                      .purpose = nn::kInitPurpose};
  const nn::Scope scope = nn::Scope(key).computing_in(compute_dtype(config));
  return std::make_unique<nn::VideoDiT>(scope, dit_config(config, clips));
}

}  // namespace eflow::trainer
