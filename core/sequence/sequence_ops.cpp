#include "eflow/core/sequence/sequence_ops.hpp"

#include <algorithm>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/core/sequence/tensor_messages.hpp"
#include "eflow/core/sequence/tensor_reduce.hpp"
#include "eflow/core/tensor/op.hpp"
#include "eflow/core/tensor/ops.hpp"

namespace eflow {
namespace {

using comm::ShardRange;

ShardRange common(const ShardRange& a, const ShardRange& b) {
  const std::int64_t first = std::max(a.first, b.first);
  return {first, std::max(first, std::min(a.last, b.last))};
}

/// The tokens `part` of rows of which the first is token `begin`.
Tensor rows_of(const Tensor& x, const ShardRange& part, std::int64_t begin) {
  return narrow(x, 1, part.first - begin, part.count());
}

/// x summed over the ranks, in place. x is row-major.
void sum_in_place(const Tensor& x, comm::Communicator* ranks) {
  comm::all_reduce(ranks, x, {"sum over a clip's ranks"});
}

/// Messages between ranks and the tensors that they fill.
class Messages {
 public:
  Messages(comm::Communicator* ranks, const comm::Call& call) : messages_(ranks, call) {}
  void send(int to, const Tensor& values) { messages_.send(to, values); }
  void receive(int from, const Shape& shape, DType dtype, const DevicePtr& device) {
    received_[from] = Tensor::empty(shape, dtype, device);
    messages_.receive(from, received_[from]);
  }
  void start() { messages_.start(); }
  void finish() { messages_.finish(); }
  /// What came from a rank, after finish(), or undefined.
  [[nodiscard]] Tensor from(int rank) const {
    const auto found = received_.find(rank);
    return found == received_.end() ? Tensor() : found->second;
  }

 private:
  comm::TensorMessages messages_;
  std::map<int, Tensor> received_;
};

// ---- keys and states ----------------------------------------------------------------------------

struct Sharing {
  TokenDivision division;
  bool with_state = false;
  comm::Communicator* ranks = nullptr;

  [[nodiscard]] const ShardRange& own(int rank) const {
    return division.own.at(static_cast<std::size_t>(rank));
  }
  [[nodiscard]] const ShardRange& reach(int rank) const {
    return division.reach.at(static_cast<std::size_t>(rank));
  }
  [[nodiscard]] int me() const { return ranks->rank(); }
  /// Tokens of rank `owner` that rank `user` needs.
  [[nodiscard]] ShardRange needed(int user, int owner) const {
    return common(reach(user), own(owner));
  }
};

/// Two tensors [B, n, H, d] as one message [B, n, H, 2 d], and back.
Tensor packed(const Tensor& k, const Tensor& v) {
  return concat({k, v}, 3);
}
Tensor half(const Tensor& both, int which) {
  const std::int64_t d = both.size(3) / 2;
  return narrow(both, 3, which * d, d);
}
Shape packed_shape(const Shape& one, std::int64_t tokens) {
  return {one[0], tokens, one[2], 2 * one[3]};
}

/// [B, m, H, d] -> [B, H, m, d]
Tensor by_head(const Tensor& x, DType dtype) {
  return transpose(cast(x, dtype), 1, 2);
}

void share_forward(Call<Sharing>& call) {
  const NoGrad off;
  const Sharing& a = call.attrs;
  const Tensor &k = call.inputs[0], &v = call.inputs[1];
  const ShardRange own = a.own(a.me());
  Messages messages(a.ranks, {"keys in reach"});
  for (int r = 0; r < a.ranks->size(); ++r) {
    if (r == a.me()) continue;
    const ShardRange out = a.needed(r, a.me()), in = a.needed(a.me(), r);
    if (out.count() > 0)
      messages.send(r, packed(rows_of(k, out, own.first), rows_of(v, out, own.first)));
    if (in.count() > 0)
      messages.receive(r, packed_shape(k.shape(), in.count()), k.dtype(), k.device());
  }
  messages.start();
  Tensor state;
  if (a.with_state) {
    const DType sums = accumulator_of(k.dtype());
    state = contiguous(matmul(transpose(by_head(k, sums), 2, 3), by_head(v, sums)));
    sum_in_place(state, a.ranks);
  }
  messages.finish();
  std::vector<Tensor> keys, values;
  for (int r = 0; r < a.ranks->size(); ++r) {
    const Tensor both = messages.from(r);
    if (!both.defined() && r != a.me()) continue;
    keys.push_back(r == a.me() ? k : half(both, 0));
    values.push_back(r == a.me() ? v : half(both, 1));
  }
  call.outputs = {concat(keys, 1), concat(values, 1)};
  if (!a.with_state) return;
  for (const Tensor& seen : call.outputs) call.save(seen);  // the next op keeps them anyway
  call.outputs.push_back(state);
}

/// Adds what other ranks found for this rank's tokens.
void add_received(const Sharing& a, const Messages& messages, int which, const Tensor& sum) {
  const ShardRange own = a.own(a.me());
  for (int r = 0; r < a.ranks->size(); ++r) {
    const Tensor both = messages.from(r);
    if (!both.defined()) continue;
    const Tensor part = rows_of(sum, a.needed(r, a.me()), own.first);
    part.assign(part + half(both, which));
  }
}

Tensors share_vjp(const Call<Sharing>& call, std::span<const Tensor> dy) {
  const Sharing& a = call.attrs;
  const ShardRange own = a.own(a.me()), reach = a.reach(a.me());
  const TensorSpec& spec = call.in[0];
  const Tensor& some = dy[0].defined() ? dy[0] : dy[1].defined() ? dy[1] : dy[2];
  Shape seen = spec.shape;
  seen[1] = reach.count();
  const auto given = [&](int i) {
    const Tensor& d = dy[static_cast<std::size_t>(i)];
    return d.defined() ? d : Tensor::zeros(seen, spec.dtype, some.device());
  };
  const Tensor dk_seen = given(0), dv_seen = given(1);
  Messages messages(a.ranks, {"gradients of keys in reach"});
  for (int r = 0; r < a.ranks->size(); ++r) {
    if (r == a.me()) continue;
    const ShardRange out = a.needed(a.me(), r), in = a.needed(r, a.me());
    if (out.count() > 0) {
      messages.send(r,
                    packed(rows_of(dk_seen, out, reach.first), rows_of(dv_seen, out, reach.first)));
    }
    if (in.count() > 0)
      messages.receive(r, packed_shape(spec.shape, in.count()), spec.dtype, some.device());
  }
  messages.start();
  Tensor dk_state, dv_state;
  if (a.with_state) {
    const Tensor k = rows_of(call.saved[0], own, reach.first);
    const Tensor v = rows_of(call.saved[1], own, reach.first);
    const DType sums = accumulator_of(spec.dtype);
    const Tensor d_state = Tensor::zeros(
        {spec.shape[0], spec.shape[2], spec.shape[3], spec.shape[3]}, sums, some.device());
    if (dy[2].defined()) d_state.assign(dy[2]);
    sum_in_place(d_state, a.ranks);
    dk_state = transpose(matmul(by_head(v, sums), transpose(d_state, 2, 3)), 1, 2);
    dv_state = transpose(matmul(by_head(k, sums), d_state), 1, 2);
  }
  messages.finish();
  const auto total = [&](const Tensor& d_seen, const Tensor& from_state, int which) {
    const Tensor sum = Tensor::empty(spec.shape, spec.dtype, some.device());
    sum.assign(rows_of(d_seen, own, reach.first));
    add_received(a, messages, which, sum);
    if (from_state.defined()) sum.assign(cast(sum, from_state.dtype()) + from_state);
    return sum;
  };
  return {total(dk_seen, dk_state, 0), total(dv_seen, dv_state, 1)};
}

constexpr OpDef<Sharing> kShare{"share_keys", nullptr, share_forward, share_vjp, nullptr};

// ---- sums ---------------------------------------------------------------------------------------

struct Summing {
  comm::Communicator* ranks = nullptr;
};

Tensor summed(const Tensor& x, comm::Communicator* ranks) {
  const Tensor sum = Tensor::empty(x.shape(), x.dtype(), x.device());
  sum.assign(x);
  sum_in_place(sum, ranks);
  return sum;
}

constexpr OpDef<Summing> kSum{"sum_over_ranks", nullptr,
                              [](Call<Summing>& call) {
                                const NoGrad off;
                                call.outputs = {summed(call.inputs[0], call.attrs.ranks)};
                              },
                              [](const Call<Summing>& call, std::span<const Tensor> dy) -> Tensors {
                                return {summed(dy[0], call.attrs.ranks)};
                              },
                              nullptr};

// ---- slices -------------------------------------------------------------------------------------

struct Slicing {
  int axis = 0;
  std::vector<ShardRange> slices;
  comm::Communicator* ranks = nullptr;
  [[nodiscard]] const ShardRange& own() const {
    return slices.at(static_cast<std::size_t>(ranks->rank()));
  }
};

Tensor cut(const Tensor& x, const Slicing& a) {
  return contiguous(narrow(x, a.axis, a.own().first, a.own().count()));
}

Tensor joined(const Tensor& slice, const Slicing& a) {
  Messages messages(a.ranks, {"slices of a clip"});
  Shape shape = slice.shape();
  for (int r = 0; r < a.ranks->size(); ++r) {
    if (r == a.ranks->rank()) continue;
    shape[a.axis] = a.slices.at(static_cast<std::size_t>(r)).count();
    messages.send(r, slice);
    messages.receive(r, shape, slice.dtype(), slice.device());
  }
  messages.start();
  messages.finish();
  std::vector<Tensor> all;
  for (int r = 0; r < a.ranks->size(); ++r)
    all.push_back(r == a.ranks->rank() ? slice : messages.from(r));
  return concat(all, a.axis);
}

constexpr OpDef<Slicing> kOwnSlice{
    "own_slice", nullptr,
    [](Call<Slicing>& call) {
      const NoGrad off;
      call.outputs = {cut(call.inputs[0], call.attrs)};
    },
    [](const Call<Slicing>& call, std::span<const Tensor> dy) -> Tensors {
      return {joined(dy[0], call.attrs)};
    },
    nullptr};

constexpr OpDef<Slicing> kJoinSlices{
    "join_slices", nullptr,
    [](Call<Slicing>& call) {
      const NoGrad off;
      call.outputs = {joined(call.inputs[0], call.attrs)};
    },
    [](const Call<Slicing>& call, std::span<const Tensor> dy) -> Tensors {
      return {cut(dy[0], call.attrs)};
    },
    nullptr};

void require_tokens(const Tensor& k, const Tensor& v, const TokenDivision& division,
                    const comm::Communicator& ranks) {
  const auto size = static_cast<std::size_t>(ranks.size());
  EFLOW_ASSERT(division.own.size() == size && division.reach.size() == size);
  const std::int64_t own = division.own[static_cast<std::size_t>(ranks.rank())].count();
  if (k.rank() == 4 && k.shape() == v.shape() && k.size(1) == own) return;
  throw ShapeError(str("[share_keys] k is ", k, ", v is ", v, "; expected [B, ", own, ", H, d]"));
}

}  // namespace

SharedKeys share_keys(const Tensor& k, const Tensor& v, const TokenDivision& division,
                      bool with_state, comm::Communicator* ranks) {
  require_tokens(k, v, division, *ranks);
  Tensors out = apply(kShare, {k, v}, Sharing{division, with_state, ranks});
  return {out[0], out[1], with_state ? out[2] : Tensor()};
}

Tensor sum_over_ranks(const Tensor& x, comm::Communicator* ranks) {
  if (x.dtype() != DType::kF32 && x.dtype() != DType::kF64)
    throw InvalidArgument(str("[sum_over_ranks] expected f32 or f64, found ", x));
  return apply(kSum, {x}, Summing{ranks})[0];
}

Tensor own_slice(const Tensor& x, int axis, const std::vector<comm::ShardRange>& slices,
                 comm::Communicator* ranks) {
  return apply(kOwnSlice, {x}, Slicing{axis, slices, ranks})[0];
}

Tensor join_slices(const Tensor& slice, int axis, const std::vector<comm::ShardRange>& slices,
                   comm::Communicator* ranks) {
  return apply(kJoinSlices, {slice}, Slicing{axis, slices, ranks})[0];
}

}  // namespace eflow
