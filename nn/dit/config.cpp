#include "eflow/nn/dit/config.hpp"

#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/nn/dit/video_dit.hpp"

namespace eflow::nn {
namespace {

void require(bool ok, const std::string& text) {
  if (!ok) throw InvalidArgument("[model] " + text);
}

/// Predicting a velocity requires carrying the patch's noise through the model width D. With more
/// patch values than D, the loss cannot fall below about (values - D) / values.
void check_velocity_fits(const DiTConfig& c) {
  if (c.prediction != Prediction::kVelocity || 2 * c.patch_values() <= c.dim) return;
  const std::string text = str("a patch has ", c.patch_values(), " values and the model is ", c.dim,
                               " wide, too narrow to carry the noise of a patch; use prediction "
                               "= data, a smaller patch, or a width of at least ",
                               2 * c.patch_values());
  require(c.patch_values() <= c.dim, text);
  log_warning("[model] ", text);
}

}  // namespace

std::string_view name_of(GapInput gap) {
  return enum_name(gap, kGapNames);
}

GapInput gap_input(std::string_view name) {
  return enum_from_name<GapInput>("gap", name, kGapNames);
}

std::string_view name_of(Prediction prediction) {
  return enum_name(prediction, kPredictionNames);
}

Prediction prediction_kind(std::string_view name) {
  return enum_from_name<Prediction>("prediction", name, kPredictionNames);
}

std::string_view name_of(FeedForwardKind kind) {
  return enum_name(kind, kFeedForwardNames);
}

FeedForwardKind feed_forward_kind(std::string_view name) {
  return enum_from_name<FeedForwardKind>("feed_forward", name, kFeedForwardNames);
}

std::int64_t DiTConfig::window_radius(const Grid3& tokens) const {
  const double span = window_frames * static_cast<double>(tokens.h * tokens.w);
  return std::llround(span) / 2;
}

DiTConfig DiTConfig::for_clips(const Shape& clip) const {
  DiTConfig other = *this;
  other.frames = clip[1];
  other.height = clip[2];
  other.width = clip[3];
  return other;
}

AttentionKind DiTConfig::attention_of(std::int64_t block) const {
  const bool interleaved = softmax_every > 0 && (block + 1) % (softmax_every + 1) == 0;
  return interleaved ? AttentionKind::kSoftmax : attention;
}

AttentionOptions DiTConfig::attention_options(std::int64_t block) const {
  return {.kind = attention_of(block),
          .gates = gates,
          .radius = window_radius(),
          .tokens = grid().count(),
          .index = window_index,
          .block = sparse_block,
          .block_share = sparse_share};
}

void check(const DiTConfig& c) {
  require(c.channels > 0 && c.frames > 0 && c.height > 0 && c.width > 0,
          str("a clip of ", c.channels, "x", c.frames, "x", c.height, "x", c.width, " is empty"));
  require(c.patch.t > 0 && c.patch.h > 0 && c.patch.w > 0,
          "every patch dimension must be positive");
  static_cast<void>(c.grid());
  require(c.heads > 0 && c.dim > 0 && c.dim % c.heads == 0,
          str("heads = ", c.heads, " must divide dim = ", c.dim));
  static_cast<void>(rope_axis_channels(c.dim / c.heads));
  require(c.hidden > 0, str("hidden = ", c.hidden, " must be positive"));
  require(c.encoder >= 0 && c.middle >= 0 && c.decoder >= 0 && c.blocks() > 0,
          "block counts must not be negative, and at least one must be positive");
  require(c.window_frames >= 0 && c.softmax_every >= 0 && c.classes >= 0 && c.context_dim >= 0,
          "window_frames, softmax_every, classes and context_dim must not be negative");
  require(c.chunk_frames >= 0, str("chunk_frames = ", c.chunk_frames, " must not be negative"));
  require(
      c.chunk_frames == 0 || can_be_causal(c.attention),
      str("attention = ", name_of(c.attention), " has no chunk-causal form; use chunk_frames = 0"));
  require(c.sparse_block > 0 && c.sparse_share > 0 && c.sparse_share <= 1,
          str("sparse_block = ", c.sparse_block,
              " must be positive, sparse_share = ", c.sparse_share, " in (0, 1]"));
  require(c.time_floor > 0 && c.time_floor < 1,
          str("time_floor = ", c.time_floor, " must be in (0, 1)"));
  check_velocity_fits(c);
}

std::int64_t parameter_count(const DiTConfig& config) {
  return VideoDiT(Scope::shapes_only(), config).parameter_count();
}

}  // namespace eflow::nn
