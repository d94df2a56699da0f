#include "eflow/nn/attention/sequence_attention.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/linear_state.hpp"

namespace eflow::nn {
namespace {

using Local = GlgaOptions::Local;

/// kappa q S, before its norm. The state's dtype may be wider than q's.
Tensor linear_branch(const Tensor& q, const Tensor& state, std::int64_t tokens) {
  const double kappa = 1 / static_cast<double>(tokens);
  return cast(read_state(cast(q, state.dtype()), state * kappa), q.dtype());
}

/// Softmax over the window, before its norm. The op requires as many queries as keys, so the tokens
/// of other ranks get zero queries whose results are discarded.
Tensor window_branch(const Tensor& q, const SharedKeys& shared, const comm::ShardRange& own,
                     const comm::ShardRange& reach, GlgaOptions options,
                     const FusedAttention& window) {
  options.global = options.normed = false;
  const auto nothing = [&](std::int64_t tokens) {
    return Tensor::zeros({q.size(0), tokens, q.size(2), q.size(3)}, q.dtype(), q.device());
  };
  const std::int64_t before = own.first - reach.first, after = reach.last - own.last;
  const Tensor queries = before + after == 0 ? q : concat({nothing(before), q, nothing(after)}, 1);
  const Tensor all = window(queries, shared.keys, shared.values, {}, {}, {}, options);
  return before + after == 0 ? all : narrow(all, 1, before, own.count());
}

}  // namespace

Tensor glga_of_part(const PartInputs& in, const GlgaOptions& options, WindowIndex index,
                    const SequencePart& part, const FusedAttention& window) {
  const bool local = options.local != Local::kNone;
  const TokenDivision division = part.window(local ? options.radius : 0, index);
  const SharedKeys shared = share_keys(in.k, in.v, division, options.global, part.ranks());
  Tensor softmax;
  if (local) {
    const auto me = static_cast<std::size_t>(part.ranks()->rank());
    GlgaOptions here = options;
    here.kept_percent = part.kept_percent();
    if (index == WindowIndex::kOriginal)
      here.positions = part.positions(division.reach[me], in.q.device());
    softmax = window_branch(in.q, shared, part.own_tokens(), division.reach[me], here, window);
  }
  // The rest costs little next to the window: computed again in the backward pass, it leaves only
  // what the fused op would keep.
  const auto join = [tokens = part.tokens(), options](const std::vector<Tensor>& given) {
    const Tensor global = options.global ? linear_branch(given[0], given[1], tokens) : Tensor();
    return glga_join(global, given[2], given[3], given[4], given[5], options);
  };
  return checkpoint(join,
                    {in.q, shared.state, softmax, in.gates, in.global_weight, in.local_weight});
}

Tensor softmax_of_part(const Tensor& q, const Tensor& k, const Tensor& v, const SequencePart& part,
                       const SoftmaxAttention& softmax) {
  const auto run = [division = part.all_keys(), ranks = part.ranks(),
                    &softmax](const std::vector<Tensor>& in) {
    const SharedKeys all = share_keys(in[1], in[2], division, false, ranks);
    return softmax(in[0], all.keys, all.values);
  };
  return checkpoint(run, {q, k, v});
}

}  // namespace eflow::nn
