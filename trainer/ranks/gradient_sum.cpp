#include "eflow/trainer/ranks/gradient_sum.hpp"

#include <algorithm>

#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/weight_copy.hpp"
#include "eflow/trainer/ranks/slice_gather.hpp"

namespace eflow::trainer {
namespace {

/// A part of a row with the shape of a parameter.
Tensor shaped_part(const Tensor& row, const Shape& shape, std::int64_t offset) {
  return row.view(shape, contiguous_strides(shape), offset);
}

}  // namespace

GradientSum::GradientSum(nn::NamedTensors parameters, const ShardDivision& division,
                         std::int64_t slice)
    : parameters_(std::move(parameters)),
      division_(division),
      layout_(parameters_, division.ranks->size(), slice),
      range_(division.of(division.ranks->rank())),
      own_(own_part(layout_, parameters_, division.ranks->rank())),
      present_(parameters_.size(), '0'),
      narrow_(parameters_.size(), false) {
  for (const FlatLayout::Bucket& each : layout_.buckets()) {
    for (std::size_t i = each.first; i < each.last; ++i)
      bucket_of_[parameters_[i].second.node().get()] = sums_.size();
    sums_.emplace_back(each.slices, division);
  }
}

bool GradientSum::can_overlap() const {
  const Tensor& any = parameters_.at(0).second;
  return any.device()->on_host() || comm::has_link(*division_.ranks, any);
}

void GradientSum::backward_and_take(const Tensor& loss, std::int64_t shard, std::int64_t step) {
  if (is_trivial()) return backward(loss);
  left_ = sums_.size();
  // Of each bucket, the parameters whose gradients are not complete yet.
  std::vector<std::int64_t> missing(sums_.size(), 0);
  for (const Tensor& leaf : leaves_of(loss)) {
    const auto at = bucket_of_.find(leaf.node().get());
    if (at != bucket_of_.end()) ++missing[at->second];
  }
  const bool early = can_overlap();
  backward(loss, {}, [&](const Tensor& leaf) {
    const auto at = bucket_of_.find(leaf.node().get());
    if (at == bucket_of_.end()) return;
    --missing[at->second];
    while (early && left_ > 0 && missing[left_ - 1] == 0) take_bucket(shard, step);
    division_.ranks->advance();
  });
  while (left_ > 0) take_bucket(shard, step);
}

void GradientSum::take_bucket(std::int64_t shard, std::int64_t step) {
  const std::size_t number = --left_;
  const FlatLayout::Bucket& bucket = layout_.buckets()[number];
  const Tensor& first = parameters_[bucket.first].second;
  const bool is_whole =
      std::all_of(parameters_.begin() + static_cast<std::ptrdiff_t>(bucket.first),
                  parameters_.begin() + static_cast<std::ptrdiff_t>(bucket.last),
                  [](const auto& named) { return named.second.grad().defined(); });
  const Tensor row = is_whole ? Tensor::empty({bucket.count}, first.dtype(), first.device())
                              : Tensor::zeros({bucket.count}, first.dtype(), first.device());
  note_use(row, MemoryUse::kGradients);
  std::int64_t offset = 0;
  for (std::size_t i = bucket.first; i < bucket.last; ++i) {
    const Tensor& parameter = parameters_[i].second;
    const Tensor gradient = parameter.grad();
    if (gradient.defined()) {
      shaped_part(row, parameter.shape(), offset).assign(gradient);
      present_[i] = '1';
      parameter.clear_grad();
    }
    offset += parameter.count();
  }
  sums_[number].add(shard, row);
  if (shard + 1 == range_.last) sums_[number].start(step);
}

void GradientSum::finish(std::int64_t step) {
  if (is_trivial()) return;
  const std::vector<Tensor> sums = sum_slices(step);
  const std::vector<Piece> pieces = layout_.pieces(division_.ranks->rank());
  std::size_t i = 0;
  for (std::size_t bucket = 0; bucket < sums.size(); ++bucket) {
    std::int64_t offset = 0;
    for (; i < pieces.size() && pieces[i].parameter < layout_.buckets()[bucket].last; ++i) {
      give(own_[i].second, pieces[i].parameter, sums[bucket], offset);
      offset += pieces[i].count;
    }
  }
  present_.assign(parameters_.size(), '0');
}

void GradientSum::finish_everywhere(std::int64_t step) {
  if (is_trivial()) return;
  const std::vector<Tensor> sums = sum_slices(step);
  const Tensor own = sums.size() == 1 ? sums[0] : concat(sums, 0);
  const Tensor all = gather_rows(layout_, own, division_.ranks, {"summed gradients", step});
  for (const Piece& piece : layout_.parameters())
    give(parameters_[piece.parameter].second, piece.parameter, all, piece.offset);
  present_.assign(parameters_.size(), '0');
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
  for (const std::string& other :
       division_.ranks->gather(mine, {"parameters with gradients", step})) {
    for (std::size_t i = 0; i < count; ++i) {
      if (other[i] == '1') present_[i] = '1';
      if (other[count + i] == '1') narrow_[i] = true;
    }
  }
}

/// The sums over all shards of this rank's slices of the buckets.
std::vector<Tensor> GradientSum::sum_slices(std::int64_t step) {
  agree_on_present(step);
  std::vector<Tensor> sums(sums_.size());
  for (std::size_t i = sums_.size(); i-- > 0;) sums[i] = sums_[i].finish();
  return sums;
}

void GradientSum::give(const Tensor& target, std::size_t parameter, const Tensor& row,
                       std::int64_t offset) {
  if (present_[parameter] == '1')
    target.set_grad(shaped_part(row, target.shape(), offset));
  else
    target.clear_grad();
}

}  // namespace eflow::trainer
