#include "eflow/nn/glga.hpp"

#include <cmath>

#include "eflow/core/ops.hpp"
#include "eflow/nn/named_enum.hpp"

namespace eflow::nn {
namespace {

constexpr std::array<std::string_view, 5> kAttentionNames = {"softmax", "window", "linear", "sum",
                                                             "glga"};
constexpr std::array<std::string_view, 3> kGateNames = {"token", "head", "channel"};

bool has_global(AttentionKind kind) {
  return kind != AttentionKind::kSoftmax && kind != AttentionKind::kWindow;
}
bool has_local(AttentionKind kind) {
  return kind != AttentionKind::kSoftmax && kind != AttentionKind::kLinear;
}

}  // namespace

std::string_view name_of(AttentionKind kind) {
  return kAttentionNames[static_cast<std::size_t>(kind)];
}
std::string_view name_of(GateKind kind) {
  return kGateNames[static_cast<std::size_t>(kind)];
}
AttentionKind attention_kind(std::string_view name) {
  return enum_from_name<AttentionKind>("attention", name, kAttentionNames);
}
GateKind gate_kind(std::string_view name) {
  return enum_from_name<GateKind>("gates", name, kGateNames);
}

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

Glga::Glga(const Scope& scope, std::int64_t width, int heads, const Options& options)
    : Module(scope), options_(options), width_(width), heads_(heads) {
  if (has_global(options.kind)) {
    global_norm_ = std::make_unique<RmsNorm>(child("global_norm"), width, heads);
  }
  if (has_local(options.kind)) {
    local_norm_ = std::make_unique<RmsNorm>(child("local_norm"), width, heads);
  }
  if (options.kind == AttentionKind::kGated) {
    const std::int64_t logits[] = {1, heads, width};
    gate_ = std::make_unique<Linear>(child("gate"), width,
                                     2 * logits[static_cast<int>(options.gates)], constant_init(0));
  }
}

Tensor Glga::gates(const Tensor& x) const {
  if (!gate_) return {};
  const std::int64_t h = options_.gates == GateKind::kToken ? 1 : heads_;
  const std::int64_t c = options_.gates == GateKind::kChannel ? width_ / heads_ : 1;
  return reshape((*gate_)(x), {x.size(0), x.size(1), 2, h, c});
}

bool Glga::fused(const Tensor& q, const Tensor& logits, const GlgaOptions& options) const {
  const bool gradients = grad_enabled();
  const Decision key{q.dtype(), options.positions.defined() ? options.kept_percent : 0, gradients};
  const std::lock_guard lock(deciding_);
  const auto at = decided_.find(key);
  if (at != decided_.end()) return at->second;
  return decided_[key] = prepare_glga(q, logits, options, gradients);
}

Tensor Glga::operator()(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& x,
                        const Tensor& positions) const {
  GlgaOptions options{
      .local = has_local(options_.kind) ? GlgaOptions::Local::kWindow : GlgaOptions::Local::kNone,
      .global = has_global(options_.kind),
      .eps = kNormEps,
      .radius = options_.radius,
      .positions = positions};
  if (options_.tokens > 0) {
    options.kept_percent =
        static_cast<int>((100 * q.size(1) + options_.tokens / 2) / options_.tokens);
  }
  const Tensor logits = gates(x);
  const auto weight = [](const std::unique_ptr<RmsNorm>& norm) {
    return norm ? norm->weight() : Tensor();
  };
  const auto run = fused(q, logits, options) ? glga : glga_composition;
  return reshape(run(q, k, v, logits, weight(global_norm_), weight(local_norm_), options),
                 x.shape());
}

}  // namespace eflow::nn
