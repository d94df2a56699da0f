#include "eflow/trainer/ranks/slice_gather.hpp"

#include "eflow/core/sequence/tensor_messages.hpp"

namespace eflow::trainer {
namespace {

/// A row of the values of these tensors, which are pieces in the order of the row.
Tensor row_of(const nn::NamedTensors& pieces, std::int64_t count, const Tensor& like) {
  const Tensor row = Tensor::empty({count}, like.dtype(), like.device());
  std::int64_t at = 0;
  for (const auto& [name, piece] : pieces) {
    part_of(row, at, piece.count()).assign(part_of(piece, 0, piece.count()));
    at += piece.count();
  }
  return row;
}

/// Copies pieces of the row into the tensors.
void fill_from(const Tensor& row, const std::vector<Piece>& pieces,
               const nn::NamedTensors& tensors) {
  for (const Piece& piece : pieces) {
    const Tensor& tensor = tensors[piece.parameter].second;
    part_of(tensor, piece.begin, piece.count).assign(part_of(row, piece.offset, piece.count));
  }
}

}  // namespace

Tensor gather_rows(const FlatLayout& layout, const Tensor& own, comm::Communicator* ranks,
                   const comm::Call& call) {
  if (ranks->size() == 1) return own;
  const Tensor row = Tensor::empty({layout.count()}, own.dtype(), own.device());
  const comm::ShardRange& slice = layout.slice(ranks->rank());
  part_of(row, slice.first, slice.count()).assign(own);
  comm::TensorMessages messages(ranks, call);
  for (int r = 0; r < ranks->size(); ++r) {
    if (r == ranks->rank()) continue;
    const comm::ShardRange& part = layout.slice(r);
    messages.send(r, own);
    messages.receive(r, part_of(row, part.first, part.count()));
  }
  messages.start();
  messages.finish();
  return row;
}

void share_slices(const FlatLayout& layout, const nn::NamedTensors& tensors,
                  comm::Communicator* ranks, const comm::Call& call) {
  if (ranks->size() == 1 || tensors.empty()) return;
  const int me = ranks->rank();
  const Tensor own =
      row_of(own_part(layout, tensors, me), layout.slice(me).count(), tensors[0].second);
  const Tensor row = gather_rows(layout, own, ranks, call);
  for (int r = 0; r < ranks->size(); ++r) {
    if (r != me) fill_from(row, layout.pieces(r), tensors);
  }
}

nn::NamedTensors collect_slices(const FlatLayout& layout, const nn::NamedTensors& own,
                                const nn::NamedTensors& like, comm::Communicator* ranks,
                                const comm::Call& call) {
  if (ranks->size() == 1) return own;
  const int me = ranks->rank();
  const Tensor& any = like.at(0).second;
  const Tensor mine = row_of(own, layout.slice(me).count(), any);
  comm::TensorMessages messages(ranks, call);
  const Tensor row =
      Tensor::empty({ranks->is_first() ? layout.count() : 0}, any.dtype(), any.device());
  if (!ranks->is_first()) messages.send(0, mine);
  for (int r = 1; ranks->is_first() && r < ranks->size(); ++r)
    messages.receive(r, part_of(row, layout.slice(r).first, layout.slice(r).count()));
  messages.start();
  messages.finish();
  if (!ranks->is_first()) return {};
  part_of(row, 0, mine.count()).assign(mine);
  nn::NamedTensors whole;
  for (const auto& [name, tensor] : like)
    whole.emplace_back(name, Tensor::empty(tensor.shape(), tensor.dtype(), tensor.device()));
  fill_from(row, layout.parameters(), whole);
  return whole;
}

}  // namespace eflow::trainer
