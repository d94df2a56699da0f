#include "eflow/nn/glga.hpp"

#include <cmath>

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
  const double kappa = 1 / static_cast<double>(k.size(1));
  const Tensor s = matmul(permute(k, {0, 2, 3, 1}), permute(v, {0, 2, 1, 3})) * kappa;
  return permute(matmul(permute(q, {0, 2, 1, 3}), s), {0, 2, 1, 3});
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

std::vector<Tensor> Glga::gates(const Tensor& x) const {
  const std::int64_t h = options_.gates == GateKind::kToken ? 1 : heads_;
  const std::int64_t c = options_.gates == GateKind::kChannel ? width_ / heads_ : 1;
  const Tensor logits = reshape((*gate_)(x), {x.size(0), x.size(1), 2, h, c});
  std::vector<Tensor> both = split(sigmoid(logits), {1, 1}, 2);
  for (Tensor& gate : both) gate = reshape(gate, {x.size(0), x.size(1), h, c});
  return both;
}

Tensor Glga::operator()(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& x,
                        const Tensor& positions) const {
  const Shape rows = x.shape(), heads = q.shape();
  Tensor global, local;
  if (global_norm_) global = (*global_norm_)(reshape(linear_attention(q, k, v), rows));
  if (local_norm_) {
    local = (*local_norm_)(reshape(window_attention(q, k, v, options_.radius, positions), rows));
  }
  if (!local.defined()) return global;
  if (!global.defined()) return local;
  if (!gate_) return global + local;
  const std::vector<Tensor> g = gates(x);
  return reshape(mul_add(g[0], reshape(global, heads), g[1] * reshape(local, heads)), rows);
}

}  // namespace eflow::nn
