#include "eflow/nn/dit/video_dit.hpp"

#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/sequence_part.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/dit/clip_stream.hpp"
#include "eflow/nn/dit/context_memory.hpp"
#include "eflow/nn/layers/patch.hpp"
#include "eflow/nn/layers/rope3d.hpp"

namespace eflow::nn {
namespace {

const DiTConfig& checked(const DiTConfig& config) {
  check(config);
  return config;
}

/// One value per token frame [B, frames] as a factor of the clips [B, C, T, H, W]; one per sample
/// [B] likewise.
Tensor frame_factors(const Tensor& values, std::int64_t patch_t) {
  const std::int64_t batch = values.size(0);
  if (values.rank() == 1) return reshape(values, {batch, 1, 1, 1, 1});
  const std::int64_t frames = values.size(1);
  const Tensor each = broadcast_to(reshape(values, {batch, frames, 1}), {batch, frames, patch_t});
  return reshape(each, {batch, 1, frames * patch_t, 1, 1});
}

/// [B, ...] -> [rows, ...] with each entry repeated rows / B times in a row.
Tensor repeated(const Tensor& values, std::int64_t rows) {
  const std::int64_t batch = values.size(0);
  if (batch == rows) return values;
  const Tensor each = reshape(values, {batch, 1, -1});
  const Tensor all = broadcast_to(each, {batch, rows / batch, each.size(2)});
  return reshape(all, {rows, -1});
}

/// The modulation of the kept tokens, one row per token, from one row per frame [B frames, 6, D].
Tensor at_tokens(const Tensor& modulation, const Tensor& kept, std::int64_t tokens_per_frame) {
  const std::int64_t batch = kept.size(0), width = modulation.size(2);
  std::vector<std::int64_t> frames = kept.to_vector<std::int64_t>();
  for (std::int64_t& id : frames) id /= tokens_per_frame;
  const std::int64_t per_sample = modulation.size(0) / batch;
  for (std::size_t i = 0; i < frames.size(); ++i)
    frames[i] += static_cast<std::int64_t>(i) / kept.size(1) * per_sample;
  const Tensor ids = Tensor::from(frames, {batch * kept.size(1)}, kept.device());
  const Tensor table = reshape(modulation, {modulation.size(0), 6 * width});
  return reshape(embedding(table, ids), {batch * kept.size(1), 6, width});
}

/// Concatenates the labels of a batch with themselves.
Tensor doubled_labels(const Tensor& labels) {
  std::vector<std::int64_t> ids = labels.to_vector<std::int64_t>();
  const std::vector<std::int64_t> once = ids;
  ids.insert(ids.end(), once.begin(), once.end());
  return Tensor::from(ids, {static_cast<std::int64_t>(ids.size())}, labels.device());
}

}  // namespace

VideoDiT::VideoDiT(const Scope& where, const DiTConfig& config)
    : Module(where),
      config_(checked(config)),
      patch_(child("patch"), config.channels, config.patch, config.dim),
      time_(child("time"), config.dim, config.time_scale),
      modulation_(child("modulation"), config.dim),
      head_(child("head"), config.dim, config.patch_values()) {
  const std::int64_t dim = config.dim;
  if (config.position_table) {
    positions_ =
        parameter("positions", {config.grid().count(), dim}, normal_init(config.position_scale));
  }
  if (config.gap != GapInput::kNone) {
    gap_ = std::make_unique<ScalarEmbedder>(child("gap"), dim, config.time_scale);
  }
  if (config.guidance_embedding) {
    guidance_ = std::make_unique<ScalarEmbedder>(child("guidance"), dim);
  }
  if (config.classes > 0) {
    classes_ = std::make_unique<Embedding>(child("classes"), config.classes + 1, dim);
  }
  if (config.context_dim > 0) {
    // Close to Wan's 0.02 at its widths. With 0.02, a context of few values would start out too
    // small.
    const auto by_fan_in = [](std::int64_t n) {
      return normal_init(1 / std::sqrt(static_cast<double>(n)));
    };
    context_in_ = std::make_unique<Linear>(child("context.in"), config.context_dim, dim,
                                           by_fan_in(config.context_dim));
    context_out_ = std::make_unique<Linear>(child("context.out"), dim, dim, by_fan_in(dim));
  }
  add_blocks(encoder_, "encoder", config.encoder, 0);
  add_blocks(middle_, "middle", config.middle, config.encoder);
  add_blocks(decoder_, "decoder", config.decoder, config.encoder + config.middle);
  if (config.long_residual) {
    mask_ = buffer("mask", {dim}, normal_init(0.02));
    fusion_ = std::make_unique<Linear>(child("fusion"), 2 * dim, dim);
  }
}

void VideoDiT::add_blocks(Blocks& part, const std::string& name, std::int64_t count,
                          std::int64_t first) {
  for (std::int64_t i = 0; i < count; ++i) {
    const DiTBlock::Options options{
        .width = config_.dim,
        .hidden = config_.hidden,
        .heads = static_cast<int>(config_.heads),
        .cross_attention = config_.context_dim > 0,
        .mix_feed_forward = config_.feed_forward == FeedForwardKind::kMix,
        .attention = config_.attention_options(first + i)};
    part.push_back(std::make_unique<DiTBlock>(child(str(name, ".", i)), options));
  }
}

void VideoDiT::prepare(const Grid3& grid, bool gradients, double drop_ratio) const {
  if (clip_ranks_ != nullptr) return;  // other kernels, which the first pass compiles
  const std::int64_t radius = config_.window_radius(grid);
  const int kept_percent = static_cast<int>(std::lround(100 * (1 - drop_ratio)));
  for (const Blocks* part : {&encoder_, &middle_, &decoder_}) {
    for (const auto& block : *part) {
      block->prepare(100, gradients, radius);
      if (part == &middle_ && kept_percent < 100) block->prepare(kept_percent, gradients, radius);
    }
  }
}

Tensor VideoDiT::operator()(const Tensor& x, const Tensor& t, const Tensor& s,
                            const Condition& condition) const {
  check_inputs(x, t, s, condition);
  if (condition.clean.defined()) return run_causal(x, t, s, condition);
  return condition.given.defined() ? run_given(x, t, s, condition) : run_whole(x, t, s, condition);
}

// The solution of a known frame is exact: x_t = (1 - t) x0 + t x1 and x0 give F = (x_t - x0) / t.
Tensor VideoDiT::run_given(const Tensor& x, const Tensor& t, const Tensor& s,
                           const Condition& condition) const {
  constexpr double kLeastTime = 1e-6;  // there x is x0 up to rounding
  check_given(x, condition);
  const Tensor known = frame_factors(condition.known, config_.patch.t), unknown = 1 - known;
  const auto of_frames = [&](const Tensor& time) {
    const Tensor row = time.rank() == 2 ? time : reshape(time, {time.size(0), 1});
    return row * (1 - condition.known);
  };
  Condition rest = condition;
  rest.given = rest.known = {};
  const Tensor F =
      run_whole(known * condition.given + unknown * x, of_frames(t), of_frames(s), rest);
  const Tensor rate = reciprocal(clamp_min(frame_factors(t, config_.patch.t), kLeastTime));
  return unknown * F + known * ((x - condition.given) * rate);
}

Tensor VideoDiT::run_whole(const Tensor& x, const Tensor& t, const Tensor& s,
                           const Condition& condition) const {
  const Grid3 grid = token_grid(x.size(2), x.size(3), x.size(4), config_.patch);
  const Tensor e = condition_vector(t, s, condition);
  const Tensor y = clip_ranks_ != nullptr ? evaluate_part(x, e, grid, condition)
                                          : evaluate(x, e, layout_of(grid), condition);
  return to_velocity(y, x, t);
}

void VideoDiT::divide_clips(comm::Communicator* ranks) {
  clip_ranks_ = ranks != nullptr && ranks->size() > 1 ? ranks : nullptr;
}

// Every rank has the whole clip, which is small next to the activations of its tokens.
Tensor VideoDiT::evaluate_part(const Tensor& x, const Tensor& e, const Grid3& grid,
                               const Condition& condition) const {
  const bool mixes = config_.feed_forward == FeedForwardKind::kMix && condition.kept.defined();
  if (mixes && 4 * condition.kept.size(1) != grid.count()) {
    throw InvalidArgument(
        "[video_dit] a Mix-FFN over dropped tokens can be divided over ranks only if a quarter of "
        "the tokens is kept: drop.ratio = 0.75");
  }
  const auto part = std::make_shared<SequencePart>(grid, clip_ranks_);
  const std::int64_t per_frame = grid.h * grid.w, batch = x.size(0);
  const comm::ShardRange own = part->own_frames();
  std::vector<comm::ShardRange> slices;
  for (const auto& [first, last] : part->frames())
    slices.push_back({first * config_.patch.t, last * config_.patch.t});

  TokenLayout layout = layout_of(grid);
  const auto own_rows = [&](const Tensor& rows) {
    return narrow(rows, 0, own.first * per_frame, own.count() * per_frame);
  };
  layout.rope = {own_rows(layout.rope.cos), own_rows(layout.rope.sin)};
  if (layout.table.defined()) layout.table = own_rows(layout.table);
  layout.grid = part->own_grid();
  layout.part = part;
  Tensor times = e;  // one row per sample, or per token frame
  if (e.size(0) != batch) {
    times = narrow(reshape(e, {batch, grid.t, e.size(1)}), 1, own.first, own.count());
    times = reshape(times, {batch * own.count(), e.size(1)});
  }
  const Tensor y = evaluate(own_slice(x, 2, slices, clip_ranks_), times, layout, condition);
  return join_slices(y, 2, slices, clip_ranks_);
}

Tensor VideoDiT::evaluate(const Tensor& x, const Tensor& e, const TokenLayout& layout,
                          const Condition& condition, std::vector<LayerStream>* layers) const {
  BlockInputs dense{.modulation = modulation_(e), .layout = layout, .context = {}};
  if (context_in_) add_context(condition, &dense);
  Tensor h = patch_(x);
  if (positions_.defined()) h = h + layout.table;
  const Tensor encoded = run(encoder_, h, dense, layers);
  h = run_middle(encoded, dense, condition, layers);
  if (fusion_) h = (*fusion_)(concat({h, encoded}, 2));
  h = run(decoder_, h, dense, layers);
  return from_patches(head_(h, e), config_.patch, layout.grid);
}

Tensor VideoDiT::run_causal(const Tensor& x, const Tensor& t, const Tensor& s,
                            const Condition& condition) const {
  check_causal(x, condition);
  const Tensor zero = Tensor::zeros(t.shape(), t.dtype(), t.device());
  const auto doubled = [](const Tensor& rows) {
    return rows.defined() ? concat({rows, rows}, 0) : Tensor();
  };
  Condition both = condition;
  both.labels = condition.labels.defined() ? doubled_labels(condition.labels) : Tensor();
  both.context = doubled(condition.context);
  both.context_memory = {};
  both.guidance = doubled(condition.guidance);
  const Grid3 grid = token_grid(x.size(2), x.size(3), x.size(4), config_.patch);
  TokenLayout layout = layout_of(grid);
  for (const std::int64_t frames : chunk_lengths(grid.t, config_.chunk_frames))
    layout.chunks.push_back(frames * grid.h * grid.w);
  const Tensor e = condition_vector(concat({t, zero}, 0), concat({s, zero}, 0), both);
  const Tensor y = evaluate(concat({x, condition.clean}, 0), e, layout, both);
  return to_velocity(narrow(y, 0, 0, x.size(0)), x, t);
}

Tensor VideoDiT::chunk(const Tensor& x, const Tensor& t, const Tensor& s,
                       const Condition& condition, const ChunkPlace& place,
                       std::vector<LayerStream>* layers) const {
  Grid3 all = config_.grid();
  all.t = place.frames;
  const Grid3 grid{x.size(2) / config_.patch.t, all.h, all.w};
  const std::int64_t begin = place.first * all.h * all.w, tokens = grid.count();
  TokenLayout layout = layout_of(all);
  layout.grid = grid;
  layout.rope = {narrow(layout.rope.cos, 0, begin, tokens),
                 narrow(layout.rope.sin, 0, begin, tokens)};
  if (layout.table.defined()) layout.table = narrow(layout.table, 0, begin, tokens);
  return to_velocity(evaluate(x, condition_vector(t, s, condition), layout, condition, layers), x,
                     t);
}

TokenLayout VideoDiT::layout_of(const Grid3& grid) const {
  const std::lock_guard lock(rope_mutex_);
  RopeTables& rope = rope_[grid];
  if (!rope.cos.defined()) {
    rope =
        RopeTables::of_grid(grid, config_.dim / config_.heads, scope().dtype(), scope().device());
  }
  return {.rope = rope, .table = positions_, .grid = grid, .radius = config_.window_radius(grid)};
}

Tensor VideoDiT::condition_vector(const Tensor& t, const Tensor& s,
                                  const Condition& condition) const {
  const std::int64_t batch = t.size(0), rows = t.count();
  const auto flat = [&](const Tensor& times) { return reshape(times, {rows}); };
  Tensor e = time_(flat(t));
  if (gap_) e = e + (*gap_)(flat(config_.gap == GapInput::kEnd ? s : t - s));
  if (guidance_) {
    const Tensor w = condition.guidance.defined() ? condition.guidance
                                                  : Tensor::zeros({batch}, t.dtype(), t.device());
    e = e + repeated((*guidance_)(w), rows);
  }
  if (classes_) e = e + repeated((*classes_)(labels_of(condition, batch)), rows);
  return e;
}

Tensor VideoDiT::labels_of(const Condition& condition, std::int64_t batch) const {
  if (condition.labels.defined()) return condition.labels;
  const std::vector<std::int64_t> none(static_cast<std::size_t>(batch), config_.classes);
  return Tensor::from(none, {batch}, scope().device());
}

void VideoDiT::add_context(const Condition& condition, BlockInputs* in) const {
  const auto projected = [&] {
    const Tensor context = (*context_out_)(gelu((*context_in_)(condition.context)));
    return cast(context, scope().compute());
  };
  ContextMemory* const memory = grad_enabled() ? nullptr : condition.context_memory.get();
  if (memory == nullptr) {
    in->context = projected();
    return;
  }
  if (!memory->context_.is(condition.context))
    throw InvalidArgument(
        "[video_dit] condition.context_memory is of another context; make one for each");
  if (memory->blocks_.empty()) {
    memory->projected_ = projected();
    memory->blocks_.resize(static_cast<std::size_t>(config_.blocks()));
  }
  in->context = memory->projected_;
  in->context_keys = memory->blocks_.data();
}

Tensor VideoDiT::run(const Blocks& part, Tensor x, BlockInputs in,
                     std::vector<LayerStream>* layers) const {
  OpenResidual stream{.x = std::move(x)};
  ContextKeys* const keys = in.context_keys;
  auto index = static_cast<std::size_t>(&part == &encoder_  ? 0
                                        : &part == &middle_ ? config_.encoder
                                                            : config_.encoder + config_.middle);
  for (const std::unique_ptr<DiTBlock>& block : part) {
    in.layout.stream = layers ? &(*layers)[index] : nullptr;
    in.context_keys = keys ? keys + index : nullptr;
    ++index;
    if (!config_.recompute || !grad_enabled()) {
      stream = block->open(stream, in);
      continue;
    }
    std::vector<Tensor> inputs{stream.x, in.modulation};
    if (in.context.defined()) inputs.push_back(in.context);
    stream.x = checkpoint(
        [block = block.get(), in](const std::vector<Tensor>& given) {
          BlockInputs again = in;
          again.modulation = given[1];
          if (given.size() > 2) again.context = given[2];
          return (*block)(given[0], again);
        },
        inputs);
  }
  return stream.closed();
}

Tensor VideoDiT::run_middle(const Tensor& encoded, const BlockInputs& dense,
                            const Condition& condition, std::vector<LayerStream>* layers) const {
  if (condition.path == Path::kWeak) {
    return broadcast_to(reshape(mask_, {1, 1, config_.dim}), encoded.shape());
  }
  if (!condition.kept.defined()) return run(middle_, encoded, dense, layers);
  BlockInputs sparse = dense;
  Tensor kept = condition.kept;
  if (dense.layout.part) {
    sparse.layout.part = std::make_shared<SequencePart>(dense.layout.part->kept(kept));
    kept = sparse.layout.part->own_ids(kept.device());
  }
  sparse.layout.rope = dense.layout.rope.at(kept);
  sparse.layout.positions = kept;
  if (dense.modulation.size(0) != encoded.size(0)) {
    const Grid3& grid = dense.layout.grid;
    sparse.modulation = at_tokens(dense.modulation, kept, grid.h * grid.w);
  }
  const Tensor deep = run(middle_, gather_tokens(encoded, kept), sparse);
  return scatter_tokens(deep, kept, mask_, encoded.size(1));
}

Tensor VideoDiT::to_velocity(const Tensor& prediction, const Tensor& x, const Tensor& t) const {
  if (config_.prediction == Prediction::kVelocity) return prediction;
  const Tensor rate = reciprocal(clamp_min(t, config_.time_floor));
  return (x - prediction) * frame_factors(rate, config_.patch.t);
}

void VideoDiT::check_given(const Tensor& x, const Condition& condition) const {
  const Shape frames{x.size(0), x.size(2) / config_.patch.t};
  const Tensor& known = condition.known;
  if (condition.given.shape() == x.shape() && known.defined() && known.shape() == frames) return;
  throw ShapeError(str("[video_dit] expected given clips ", x.shape(), " and known frames ", frames,
                       ", found ", condition.given.shape(), " and ",
                       known.defined() ? str(known.shape()) : "nothing"));
}

void VideoDiT::check_causal(const Tensor& x, const Condition& condition) const {
  if (clip_ranks_ != nullptr)
    throw InvalidArgument(
        "[video_dit] a chunk-causal pass cannot be divided over ranks; use train.sequence = 1");
  if (config_.chunk_frames == 0) {
    throw InvalidArgument(
        "[video_dit] condition.clean requires a chunk-causal model; build it with chunk_frames "
        "above "
        "0");
  }
  if (condition.clean.shape() != x.shape()) {
    throw ShapeError(
        str("[video_dit] expected clean clips ", x.shape(), ", found ", condition.clean.shape()));
  }
  if (condition.kept.defined())
    throw InvalidArgument(
        "[video_dit] a chunk-causal pass cannot drop tokens; leave condition.kept undefined");
  if (condition.given.defined())
    throw InvalidArgument(
        "[video_dit] a chunk-causal pass takes no given frames: remember them as earlier chunks "
        "(ClipStream); leave condition.given undefined");
}

void VideoDiT::check_inputs(const Tensor& x, const Tensor& t, const Tensor& s,
                            const Condition& condition) const {
  const DiTConfig& c = config_;
  if (x.rank() != 5 || x.size(1) != c.channels) {
    throw ShapeError(
        str("[video_dit] expected a video [B, ", c.channels, ", T, H, W], found ", x.shape()));
  }
  if (positions_.defined() &&
      x.shape() != Shape{x.size(0), c.channels, c.frames, c.height, c.width}) {
    throw ShapeError(str("[video_dit] a model with a position table requires videos [B, ",
                         c.channels, ", ", c.frames, ", ", c.height, ", ", c.width, "], found ",
                         x.shape()));
  }
  const Shape batch{x.size(0)};
  const auto check_rows = [&](const char* what, const Tensor& rows) {
    if (rows.defined() && rows.shape() != batch) {
      throw ShapeError(str("[video_dit] expected ", what, " ", batch, ", found ", rows.shape()));
    }
  };
  const Shape of_frames{x.size(0), x.size(2) / c.patch.t};
  if (t.shape() != s.shape() || (t.shape() != batch && t.shape() != of_frames)) {
    throw ShapeError(str("[video_dit] expected times t and s ", batch, " or ", of_frames,
                         ", found ", t.shape(), " and ", s.shape()));
  }
  check_rows("labels", condition.labels);
  check_rows("guidance", condition.guidance);
  if (context_in_ && !condition.context.defined()) {
    throw InvalidArgument(
        "[video_dit] the model has cross-attention and requires condition.context");
  }
  if ((condition.kept.defined() || condition.path == Path::kWeak) && !c.long_residual) {
    throw InvalidArgument(
        "[video_dit] token dropping and the weak path require the long residual; build the model "
        "with long_residual = true");
  }
}

}  // namespace eflow::nn
