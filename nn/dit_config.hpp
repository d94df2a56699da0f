#pragma once
// DiTConfig: everything that decides the shape of a VideoDiT, with the named sizes. Symbols follow
// arXiv 2603.27086, Tab. 5.

#include <string>
#include <string_view>
#include <vector>

#include "eflow/nn/attention_options.hpp"
#include "eflow/nn/patch.hpp"

namespace eflow::nn {

/// What the head predicts: the velocity F itself, or the data x0, from which
/// F = (x_t - x0) / max(t, floor).
enum class Prediction { kVelocity, kData };

/// Whether feed-forwards see a token alone or its neighbours in the frame too (Mix-FFN).
enum class FeedForwardKind { kPlain, kMix };

/// "velocity", "data".
[[nodiscard]] std::string_view name_of(Prediction prediction);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] Prediction prediction_kind(std::string_view name);
/// "plain", "mix".
[[nodiscard]] std::string_view name_of(FeedForwardKind kind);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] FeedForwardKind feed_forward_kind(std::string_view name);

struct DiTConfig {
  std::int64_t channels = 3, frames = 8, height = 32, width = 32;  ///< of the (latent) video
  Patch patch = {2, 8, 8};

  std::int64_t dim = 192;                             ///< D, the model's width
  std::int64_t heads = 3;                             ///< H
  std::int64_t hidden = 768;                          ///< of the feed-forward
  std::int64_t encoder = 1, middle = 4, decoder = 1;  ///< blocks in each part
  /// The encoder's result joins the middle's before the decoder; needed for dropping tokens and for
  /// the weak path.
  bool long_residual = true;

  AttentionKind attention = AttentionKind::kGated;
  GateKind gates = GateKind::kToken;
  double window_frames = 2;  ///< m: the window spans W = m H' W' tokens
  WindowIndex window_index = WindowIndex::kOriginal;
  std::int64_t softmax_every = 0;  ///< K: after every K blocks one of full softmax; 0: none
  std::int64_t sparse_block = 64;  ///< kSla, kVsa: tokens of a block
  double sparse_share = 0.2;       ///< kSla, kVsa: blocks that are looked at in detail
  FeedForwardKind feed_forward = FeedForwardKind::kPlain;

  std::int64_t classes = 0;      ///< without the null class; 0: no labels
  std::int64_t context_dim = 0;  ///< E of context tokens for cross-attention; 0: none
  bool gap_embedding = true;     ///< tell the network t - s; false for plain flow matching
  bool guidance_embedding = false;
  bool position_table = false;   ///< a learned vector for each token, beside RoPE
  double position_scale = 0.02;  ///< it starts as N(0, position_scale^2)
  double time_scale = 1;

  Prediction prediction = Prediction::kVelocity;
  double time_floor = 0.05;

  /// Token frames of a chunk of chunk-causal passes (nn/clip_stream.hpp); 0: there are none.
  std::int64_t chunk_frames = 0;

  /// Recompute every block in the backward pass instead of keeping what its ops save.
  bool recompute = false;

  [[nodiscard]] std::int64_t blocks() const { return encoder + middle + decoder; }
  [[nodiscard]] std::int64_t patch_values() const { return channels * patch.count(); }
  [[nodiscard]] Grid3 grid() const { return token_grid(frames, height, width, patch); }
  /// R = floor(W / 2), W = m times the tokens of a frame of the grid.
  [[nodiscard]] std::int64_t window_radius(const Grid3& tokens) const;
  [[nodiscard]] std::int64_t window_radius() const { return window_radius(grid()); }
  /// The same model told to make clips [C, T, H, W] of this shape.
  [[nodiscard]] DiTConfig for_clips(const Shape& clip) const;
  /// The kind of block i, counted from 0 over the whole network.
  [[nodiscard]] AttentionKind attention_of(std::int64_t block) const;
  /// All that its attention is told.
  [[nodiscard]] AttentionOptions attention_options(std::int64_t block) const;
};

/// Refuses what cannot be built or cannot learn (InvalidArgument, ShapeError), warns in the log
/// where a patch has more than half as many values as the model is wide and the head predicts
/// velocity.
void check(const DiTConfig& config);

/// Number of trained values; nothing is allocated.
[[nodiscard]] std::int64_t parameter_count(const DiTConfig& config);

/// "tiny", "quickstart", "sprites" for the CPU; "B", "XL", "XXL", "1.5B" of the paper.
[[nodiscard]] const std::vector<std::string>& preset_names();
/// Throws InvalidArgument listing the known names.
[[nodiscard]] DiTConfig preset(std::string_view name);

}  // namespace eflow::nn
