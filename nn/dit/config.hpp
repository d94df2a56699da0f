#pragma once
// DiTConfig: the architecture of a VideoDiT, with named presets. Symbols follow arXiv 2603.27086,
// Tab. 5.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/shape.hpp"
#include "eflow/nn/attention/attention_options.hpp"
#include "eflow/nn/layers/grid.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// The head's output.
enum class Prediction {
  kVelocity,  ///< the mean velocity F
  kData,      ///< the data x0, from which F = (x_t - x0) / max(t, time_floor)
};

/// The feed-forward of the blocks.
enum class FeedForwardKind {
  kPlain,  ///< acts on each token separately
  kMix,    ///< Mix-FFN: includes a convolution over the frame
};

/// The input of the second time embedder, whose output is added to that of t.
enum class GapInput {
  kInterval,  ///< t - s
  kEnd,       ///< s, as in AnyFlow's released weights
  kNone,      ///< no second embedder: F(x, t), a velocity, for plain flow matching
};

/// Names by enumerator value.
inline constexpr std::array<std::string_view, 3> kGapNames = {"t-s", "s", "none"};
inline constexpr std::array<std::string_view, 2> kPredictionNames = {"velocity", "data"};
inline constexpr std::array<std::string_view, 2> kFeedForwardNames = {"plain", "mix"};

[[nodiscard]] std::string_view name_of(GapInput gap);
[[nodiscard]] std::string_view name_of(Prediction prediction);
[[nodiscard]] std::string_view name_of(FeedForwardKind kind);
/// Inverses of name_of(). Throw InvalidArgument and list the known names.
[[nodiscard]] GapInput gap_input(std::string_view name);
[[nodiscard]] Prediction prediction_kind(std::string_view name);
[[nodiscard]] FeedForwardKind feed_forward_kind(std::string_view name);

struct DiTConfig {
  std::int64_t channels = 3, frames = 8, height = 32, width = 32;  ///< of the (latent) clips
  Patch patch = {2, 8, 8};

  std::int64_t dim = 192;                             ///< D, model width
  std::int64_t heads = 3;                             ///< H, attention heads
  std::int64_t hidden = 768;                          ///< width of the feed-forward
  std::int64_t encoder = 1, middle = 4, decoder = 1;  ///< blocks in each part
  /// Fuses the encoder's output with the middle's before the decoder. Required for token dropping
  /// and the weak path.
  bool long_residual = true;

  AttentionKind attention = AttentionKind::kGated;
  GateKind gates = GateKind::kToken;
  double window_frames = 2;  ///< m: the window spans W = m H' W' tokens
  WindowIndex window_index = WindowIndex::kOriginal;
  std::int64_t softmax_every = 0;  ///< K: one full-softmax block after every K blocks; 0: none
  std::int64_t sparse_block = 64;  ///< kSla, kVsa: tokens per block
  double sparse_share = 0.2;       ///< kSla, kVsa: share of key blocks selected per query block
  FeedForwardKind feed_forward = FeedForwardKind::kPlain;

  std::int64_t classes = 0;            ///< excluding the null class; 0: no labels
  std::int64_t context_dim = 0;        ///< E, width of context tokens; 0: no cross-attention
  GapInput gap = GapInput::kInterval;  ///< input of the second time embedder
  bool guidance_embedding = false;     ///< embed the guidance scale w
  bool position_table = false;         ///< add a learned vector per token, in addition to RoPE
  double position_scale = 0.02;        ///< standard deviation of its initial values
  double time_scale = 1;  ///< factor on t and the gap before their embeddings; Wan: 1000

  Prediction prediction = Prediction::kVelocity;
  double time_floor = 0.05;  ///< kData: lower bound of the division by t

  /// Token frames per chunk of chunk-causal passes (nn/dit/clip_stream.hpp); 0: not chunk-causal.
  std::int64_t chunk_frames = 0;

  /// Recompute each block in the backward pass instead of keeping its activations.
  bool recompute = false;

  [[nodiscard]] std::int64_t blocks() const { return encoder + middle + decoder; }
  [[nodiscard]] std::int64_t patch_values() const { return channels * patch.count(); }
  [[nodiscard]] Grid3 grid() const { return token_grid(frames, height, width, patch); }
  /// R = floor(W / 2), where W is m times the tokens per frame of the grid.
  [[nodiscard]] std::int64_t window_radius(const Grid3& tokens) const;
  [[nodiscard]] std::int64_t window_radius() const { return window_radius(grid()); }
  /// Returns the config of the same model for clips [C, T, H, W] of another size.
  [[nodiscard]] DiTConfig for_clips(const Shape& clip) const;
  /// Attention kind of a block, counted from 0 over the whole network.
  [[nodiscard]] AttentionKind attention_of(std::int64_t block) const;
  /// Attention options of a block.
  [[nodiscard]] AttentionOptions attention_options(std::int64_t block) const;
};

/// Throws InvalidArgument or ShapeError for a config that cannot be built or cannot learn. Logs a
/// warning if the head predicts velocity and a patch has more than dim / 2 values.
void check(const DiTConfig& config);

/// Returns the number of trained values. Allocates nothing.
[[nodiscard]] std::int64_t parameter_count(const DiTConfig& config);

/// Names of the presets: small models for the CPU, then the sizes of the paper.
[[nodiscard]] const std::vector<std::string>& preset_names();
/// True if the preset is meant to be trained on a CPU.
[[nodiscard]] bool is_cpu_preset(std::string_view name);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] DiTConfig preset(std::string_view name);

}  // namespace eflow::nn

EFLOW_EXPORT_END
