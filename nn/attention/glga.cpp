#include "eflow/nn/attention/glga.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/sequence_attention.hpp"
#include "eflow/nn/attention/token_layout.hpp"

namespace eflow::nn {
namespace {

bool has_global(AttentionKind kind) {
  return is_glga(kind) && kind != AttentionKind::kWindow;
}
bool has_local(AttentionKind kind) {
  return is_glga(kind) && kind != AttentionKind::kLinear;
}

/// Number of logits per token of one gate.
std::int64_t gate_width(GateKind kind, std::int64_t width, int heads) {
  switch (kind) {
    case GateKind::kToken:
      return 1;
    case GateKind::kHead:
      return heads;
    case GateKind::kChannel:
      return width;
  }
  return 0;
}

/// A branch's norm weight, or undefined.
Tensor weight(const std::unique_ptr<RmsNorm>& norm) {
  return norm ? norm->weight() : Tensor();
}

}  // namespace

Tensor window_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t radius,
                        const Tensor& positions) {
  const double tau = 1 / std::sqrt(static_cast<double>(q.size(3)));
  return attention(q, k, v, tau,
                   {.full = false, .left = radius, .right = radius, .positions = positions});
}

Tensor linear_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  return glga_composition(q, k, v, {}, {}, {},
                          {.local = GlgaOptions::Local::kNone, .normed = false});
}

GlgaOptions glga_options(const Glga::Options& options) {
  return {
      .local = has_local(options.kind) ? GlgaOptions::Local::kWindow : GlgaOptions::Local::kNone,
      .global = has_global(options.kind),
      .eps = kNormEps,
      .radius = options.radius};
}
GlgaGateKind glga_gate_kind(const Glga::Options& options) {
  if (options.kind != AttentionKind::kGated) return GlgaGateKind::kNone;
  return options.gates == GateKind::kChannel ? GlgaGateKind::kChannel : GlgaGateKind::kRow;
}

Glga::Glga(const Scope& scope, std::int64_t width, int heads, const Options& options)
    : Mixer(scope), options_(options), width_(width), heads_(heads) {
  if (has_global(options.kind)) {
    global_norm_ = std::make_unique<RmsNorm>(child("global_norm"), width, heads);
  }
  if (has_local(options.kind)) {
    local_norm_ = std::make_unique<RmsNorm>(child("local_norm"), width, heads);
  }
  if (options.kind == AttentionKind::kGated) {
    gate_ = std::make_unique<Linear>(child("gate"), width,
                                     2 * gate_width(options.gates, width, heads), constant_init(0));
  }
}

Shape Glga::gate_shape(std::int64_t samples, std::int64_t tokens) const {
  return {samples, tokens, 2, options_.gates == GateKind::kToken ? 1 : heads_,
          options_.gates == GateKind::kChannel ? width_ / heads_ : 1};
}

Tensor Glga::gates(const Tensor& x) const {
  return gate_ ? reshape((*gate_)(x), gate_shape(x.size(0), x.size(1))) : Tensor();
}

GlgaOptions Glga::call(std::int64_t tokens, const Tensor& positions, std::int64_t raster,
                       std::int64_t radius) const {
  GlgaOptions options = glga_options(options_);
  options.radius = radius;
  if (options_.index == WindowIndex::kOriginal) options.positions = positions;
  if (raster > 0) options.kept_percent = static_cast<int>((100 * tokens + raster / 2) / raster);
  return options;
}

Tensor Glga::mix(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& x,
                 const GlgaOptions& options) const {
  return reshape(run_(q, k, v, gates(x), weight(global_norm_), weight(local_norm_), options),
                 x.shape());
}

Tensor Glga::operator()(const MixInputs& in) const {
  const Tensor& positions = in.layout.positions;
  const Grid3& grid = in.layout.grid;
  const std::int64_t radius = in.layout.radius;
  const GlgaOptions options =
      call(in.q.size(1), positions, grid.count() > 0 ? grid.count() : options_.tokens,
           radius >= 0 ? radius : options_.radius);
  return mix(in.rotated(in.q), in.rotated(in.k), in.v, in.x, options);
}

Tensor Glga::of_part(const MixInputs& in, const SequencePart& part) const {
  const PartInputs inputs{.q = in.rotated(in.q),
                          .k = in.rotated(in.k),
                          .v = in.v,
                          .gates = gates(in.x),
                          .global_weight = weight(global_norm_),
                          .local_weight = weight(local_norm_)};
  return reshape(glga_of_part(inputs, windowed(in.layout.radius), options_.index, part, window_),
                 in.x.shape());
}

GlgaOptions Glga::windowed(std::int64_t radius) const {
  GlgaOptions options = glga_options(options_);
  options.radius = radius >= 0 ? radius : options_.radius;
  return options;
}

Tensor Glga::chunk(const ChunkInputs& in, const Tensor& x, const ChunkMemory& before,
                   std::int64_t radius) const {
  ChunkInputs all = in;
  all.gates = gates(x);
  all.global_weight = weight(global_norm_);
  all.local_weight = weight(local_norm_);
  return reshape(chunk_attention(all, before, windowed(radius)), x.shape());
}

ChunkMemory Glga::remember(const ChunkMemory& before, const ChunkInputs& in,
                           std::int64_t radius) const {
  return remembered(before, in.k, in.v, windowed(radius));
}

void Glga::prepare(int kept_percent, bool gradients, std::int64_t radius) const {
  const DevicePtr& device = scope().device();
  // The number of tokens matters: the tuner may have chosen other tiles for other sizes.
  const std::int64_t tokens = std::max<std::int64_t>(1, options_.tokens * kept_percent / 100);
  const auto broadcast_over_tokens = [&](Shape shape, DType dtype) {
    shape[1] = 1;
    const Tensor one = Tensor::empty(shape, dtype, device);
    shape[1] = tokens;
    return broadcast_to(one, shape);
  };
  const Tensor q = broadcast_over_tokens({1, 1, heads_, width_ / heads_}, scope().compute());
  const Tensor logits =
      gate_ ? broadcast_over_tokens(gate_shape(1, 1), scope().compute()) : Tensor();
  GlgaOptions options =
      call(tokens, kept_percent < 100 ? broadcast_over_tokens({1, 1}, DType::kI64) : Tensor(), 0,
           radius >= 0 ? radius : options_.radius);
  options.kept_percent = kept_percent;
  run_.prepare(q, logits, options, gradients);
}

}  // namespace eflow::nn
