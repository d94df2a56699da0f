#include "eflow/nn/attention/chunk_attention.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/linear_state.hpp"

namespace eflow::nn {
namespace {

using Local = GlgaOptions::Local;

Tensor linear_branch(const ChunkInputs& in, const ChunkMemory& before) {
  const double kappa = 1 / static_cast<double>(before.tokens + in.k.size(1));
  Tensor state = linear_state(in.k, in.v);
  if (before.state.defined()) state = state + before.state;
  return read_state(in.q, state * kappa);
}

Tensor softmax_branch(const ChunkInputs& in, const ChunkMemory& before,
                      const GlgaOptions& options) {
  const double tau = 1 / std::sqrt(static_cast<double>(in.q.size(3)));
  const bool first = !before.keys.defined();
  const Tensor k = first ? in.k : concat({before.keys, in.k}, 1);
  const Tensor v = first ? in.v : concat({before.values, in.v}, 1);
  if (options.local == Local::kFull) return attention(in.q, k, v, tau);
  // The windowed op requires as many queries as keys, so the remembered tokens get zero queries
  // whose results are discarded.
  const std::int64_t tail = k.size(1) - in.k.size(1);
  Shape shape = in.q.shape();
  shape[1] = tail;
  const Tensor none = Tensor::zeros(shape, in.q.dtype(), in.q.device());
  const Tensor q = tail == 0 ? in.q : concat({none, in.q}, 1);
  const Band band{.full = false, .left = options.radius, .right = options.radius, .positions = {}};
  return narrow(attention(q, k, v, tau, band), 1, tail, in.q.size(1));
}

Tensor normed(const Tensor& x, const Tensor& weight, const GlgaOptions& options) {
  if (!options.normed) return x;
  const Shape rows{x.size(0), x.size(1), x.size(2) * x.size(3)};
  const int heads = static_cast<int>(x.size(2));
  return reshape(rms_norm(reshape(x, rows), weight, heads, options.eps), x.shape());
}

}  // namespace

Tensor chunk_attention(const ChunkInputs& in, const ChunkMemory& before,
                       const GlgaOptions& options) {
  std::vector<Tensor> branches;
  if (options.global)
    branches.push_back(normed(linear_branch(in, before), in.global_weight, options));
  if (options.local != Local::kNone)
    branches.push_back(normed(softmax_branch(in, before, options), in.local_weight, options));
  if (in.gates.defined()) {
    const Shape one{in.gates.size(0), in.gates.size(1), in.gates.size(3), in.gates.size(4)};
    const std::vector<Tensor> gates = split(sigmoid(in.gates), {1, 1}, 2);
    if (options.global) branches.front() = branches.front() * reshape(gates[0], one);
    if (options.local != Local::kNone) branches.back() = branches.back() * reshape(gates[1], one);
  }
  return branches.size() == 1 ? branches[0] : branches[0] + branches[1];
}

ChunkMemory remembered(const ChunkMemory& before, const Tensor& k, const Tensor& v,
                       const GlgaOptions& options) {
  ChunkMemory after{.tokens = before.tokens + k.size(1), .state = {}, .keys = {}, .values = {}};
  if (options.global) {
    after.state = linear_state(k, v);
    if (before.state.defined()) after.state = after.state + before.state;
  }
  const bool full = options.local == Local::kFull;
  if (options.local == Local::kNone || (!full && options.radius == 0)) return after;
  const bool first = !before.keys.defined();
  const Tensor keys = first ? k : concat({before.keys, k}, 1);
  const Tensor values = first ? v : concat({before.values, v}, 1);
  const std::int64_t kept = full ? keys.size(1) : std::min(options.radius, keys.size(1));
  after.keys = narrow(keys, 1, keys.size(1) - kept, kept);
  after.values = narrow(values, 1, keys.size(1) - kept, kept);
  return after;
}

}  // namespace eflow::nn
