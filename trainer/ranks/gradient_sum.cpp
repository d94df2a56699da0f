#include "eflow/trainer/ranks/gradient_sum.hpp"

#include <algorithm>

#include "eflow/core/sequence/tensor_messages.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/weight_copy.hpp"
#include "eflow/trainer/ranks/slice_gather.hpp"

namespace eflow::trainer {
namespace {

const auto kAdd = [](Tensor* left, const Tensor& right) { add_(*left, right); };

/// A part of a row with the shape of a parameter.
Tensor shaped_part(const Tensor& row, const Shape& shape, std::int64_t offset) {
  return row.view(shape, contiguous_strides(shape), offset);
}

/// The same part of several rows, one after the other; of a single row, the part itself.
Tensor joined(const std::map<comm::ShardNode, Tensor>& rows, const comm::ShardRange& part) {
  const Tensor& first = rows.begin()->second;
  const std::int64_t count = part.count();
  if (rows.size() == 1) return part_of(first, part.first, count);
  const auto number = static_cast<std::int64_t>(rows.size());
  const Tensor all = Tensor::empty({number * count}, first.dtype(), first.device());
  std::int64_t at = 0;
  for (const auto& [node, row] : rows) {
    part_of(all, at, count).assign(part_of(row, part.first, count));
    at += count;
  }
  return all;
}

}  // namespace

GradientSum::GradientSum(nn::NamedTensors parameters, std::int64_t shards,
                         comm::Communicator* ranks, int sequence)
    : parameters_(std::move(parameters)),
      total_shards_(shards),
      sequence_(sequence),
      ranks_(ranks),
      layout_(parameters_, ranks->size()),
      range_(shards_of(ranks->rank())),
      own_(own_part(layout_, parameters_, ranks->rank())),
      sum_(shards),
      present_(parameters_.size(), '0'),
      narrow_(parameters_.size(), false) {}

comm::ShardRange GradientSum::shards_of(int rank) const {
  return comm::shards_of(rank / sequence_, ranks_->size() / sequence_, total_shards_);
}

void GradientSum::take(std::int64_t shard) {
  if (is_trivial()) return;
  const Tensor& first = parameters_.at(0).second;
  const Tensor row = Tensor::zeros({layout_.count()}, first.dtype(), first.device());
  note_use(row, MemoryUse::kGradients);
  for (const Piece& piece : layout_.parameters()) {
    const Tensor& parameter = parameters_[piece.parameter].second;
    const Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    shaped_part(row, parameter.shape(), piece.offset).assign(gradient);
    present_[piece.parameter] = '1';
    parameter.clear_grad();
  }
  sum_.add({0, shard}, row, kAdd);
}

void GradientSum::finish(std::int64_t step) {
  if (is_trivial()) return;
  const Tensor values = sum_slices(step);
  const int me = ranks_->rank();
  hand_out(layout_.pieces(me), own_, values, layout_.slice(me).first);
}

void GradientSum::finish_everywhere(std::int64_t step) {
  if (is_trivial()) return;
  const Tensor values = gather_rows(layout_, sum_slices(step), ranks_, {"summed gradients", step});
  hand_out(layout_.parameters(), parameters_, values, 0);
}

/// A parameter has a gradient if it has one in any shard. The ranks also tell each other of which
/// matrices they have bf16 copies. A layer's operands have one dtype, so no rank uses such a matrix in
/// another one.
void GradientSum::agree_on_present(std::int64_t step) {
  const std::size_t count = parameters_.size();
  std::string mine = present_;
  for (const auto& [name, parameter] : parameters_) {
    const bool copied = parameter.rank() == 2 && detail::current_copy(parameter) != nullptr;
    mine.push_back(copied ? '1' : '0');
  }
  std::fill(narrow_.begin(), narrow_.end(), false);
  for (const std::string& other : ranks_->gather(mine, {"parameters with gradients", step})) {
    for (std::size_t i = 0; i < count; ++i) {
      if (other[i] == '1') present_[i] = '1';
      if (other[count + i] == '1') narrow_[i] = true;
    }
  }
}

/// The sum over all shards of this rank's slice.
Tensor GradientSum::sum_slices(std::int64_t step) {
  agree_on_present(step);
  const int me = ranks_->rank(), size = ranks_->size();
  std::map<comm::ShardNode, Tensor> rows = std::move(sum_.nodes());
  sum_ = comm::ShardSum<Tensor>(total_shards_);
  if (size == 1) return rows.begin()->second;

  comm::TensorMessages messages(ranks_, {"gradients", step});
  std::vector<Tensor> received;
  std::vector<std::vector<comm::ShardNode>> nodes;
  const std::int64_t own = layout_.slice(me).count();
  const Tensor& any = rows.begin()->second;
  for (int r = 0; r < size; ++r) {
    nodes.push_back(comm::nodes_of(shards_of(r), total_shards_));
    const auto count = r == me ? 0 : static_cast<std::int64_t>(nodes.back().size()) * own;
    received.push_back(Tensor::empty({count}, any.dtype(), any.device()));
    if (r == me) continue;
    messages.send(r, joined(rows, layout_.slice(r)));
    messages.receive(r, received.back());
  }
  messages.start();
  messages.finish();
  // First the shards, then the parts of a clip: the number of lanes does not matter either.
  comm::ShardSum<Tensor> parts(sequence_);
  for (int s = 0; s < sequence_; ++s) {
    comm::ShardSum<Tensor> sum(total_shards_);
    for (int r = s; r < size; r += sequence_) {
      const auto at = static_cast<std::size_t>(r);
      std::int64_t offset = 0;
      for (const comm::ShardNode& node : nodes[at]) {
        const Tensor part = r == me ? part_of(rows.at(node), layout_.slice(me).first, own)
                                    : part_of(received[at], offset, own);
        sum.add(node, part, kAdd);
        offset += own;
      }
    }
    parts.add({0, s}, sum.root(), kAdd);
  }
  return parts.root();
}

void GradientSum::hand_out(const std::vector<Piece>& pieces, const nn::NamedTensors& targets,
                           const Tensor& values, std::int64_t first) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Tensor& target = targets[i].second;
    if (present_[pieces[i].parameter] == '1')
      target.set_grad(shaped_part(values, target.shape(), pieces[i].offset - first));
    else
      target.clear_grad();
  }
  present_.assign(parameters_.size(), '0');
}

}  // namespace eflow::trainer
