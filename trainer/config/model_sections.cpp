// [model]: the network.

#include "eflow/trainer/config/sections.hpp"

namespace eflow::trainer {
namespace {

std::vector<std::string> preset_choices() {
  std::vector<std::string> names = nn::preset_names();
  names.insert(names.begin(), "custom");
  return names;
}

}  // namespace

std::vector<Option> model_section(ModelConfig& c) {
  return {
      {"model.preset", &c.preset, one_of(preset_choices()),
       "Named sizes; the keys below override the preset's values."},
      {"model.condition",
       named(&c.condition, {ModelCondition::kAuto, ModelCondition::kNone, ModelCondition::kLabel,
                            ModelCondition::kText, ModelCondition::kLabelText}),
       "What the model takes, which must be what the data have; auto: what model.preset takes, or "
       "without a preset what the data have."},
      {"model.dim", &c.dim, between(8, 16384), "Model width D."},
      {"model.heads", &c.heads, between(1, 256), "Attention heads H; must divide model.dim."},
      {"model.encoder", &c.encoder, between(0, 256), "blocks",
       "Blocks before the middle, on all tokens."},
      {"model.middle", &c.middle, between(0, 256), "blocks",
       "Blocks of the middle, which see fewer tokens with token dropping."},
      {"model.decoder", &c.decoder, between(0, 256), "blocks",
       "Blocks after the fusion, on all tokens."},
      {"model.mlp_ratio", &c.mlp_ratio, between(0.25, 16), "Feed-forward width over model.dim."},
      {"model.patch_t", &c.patch.t, between(1, 64), "frames",
       "Patch size in time; must divide the clip's frames."},
      {"model.patch_h", &c.patch.h, between(1, 256), "pixels",
       "Patch height; must divide the clip's height."},
      {"model.patch_w", &c.patch.w, between(1, 256), "pixels",
       "Patch width; must divide the clip's width."},
      {"model.attention", named(&c.attention, nn::kAttentionNames),
       "Gated local-global attention, full softmax, an ablation of GLGA, or a published "
       "alternative."},
      {"model.window_frames", &c.window_frames, between(0.01, 4096), "token frames",
       "Span m of the local window: W = m times the tokens of a frame."},
      {"model.window_index", named(&c.window_index, nn::kWindowIndexNames),
       "Whether windows count dropped tokens (original) or only kept ones (compact)."},
      {"model.softmax_every", &c.softmax_every, between(0, 256), "blocks",
       "K: one full softmax block after every K other blocks; 0 for none."},
      {"model.sparse_block", &c.sparse_block, between(1, 4096), "tokens",
       "sla, vsa: tokens per block; for vsa the tokens of a cube: 8, 27, 64, ..."},
      {"model.sparse_share", &c.sparse_share, between(0.001, 1),
       "sla, vsa: share of the blocks that a block's softmax attends to."},
      {"model.feed_forward", named(&c.feed_forward, nn::kFeedForwardNames),
       "Per token, or gated with a 3x3 convolution over the frame (Sana's Mix-FFN)."},
      {"model.gates", named(&c.gates, nn::kGateNames), "Granularity of the two branch gates."},
      {"model.position_table", &c.position_table,
       "Add a learned position table to the patches, in addition to RoPE."},
      {"model.position_scale", &c.position_scale, between(1e-4, 10),
       "Standard deviation of the position table's initial values."},
      {"model.time_scale", &c.time_scale, between(1e-3, 1e4),
       "Factor on times before the sinusoidal embedding; 1000 in Wan and AnyFlow."},
      {"model.gap", named(&c.gap, nn::kGapNames),
       "Input of the second time embedder: t - s, s (AnyFlow's released weights), or no second "
       "embedder, for flow matching alone."},
      {"model.long_residual", &c.long_residual,
       "Fuse the encoder's output with the middle's before the decoder; needed for token dropping "
       "and the weak path."},
      {"model.prediction", named(&c.prediction, nn::kPredictionNames),
       "What the head predicts; use 'data' if a patch has many values relative to model.dim."},
      {"model.time_floor", &c.time_floor, between(1e-4, 1),
       "Data prediction: F = (x - net) / max(t, floor)."},
      {"model.chunk_frames", &c.chunk_frames, between(0, 4096), "token frames",
       "AnyFlow's causal variant: frames per chunk after the first frame; 0 generates whole "
       "clips."},
  };
}

}  // namespace eflow::trainer
