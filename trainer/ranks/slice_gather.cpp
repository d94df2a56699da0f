#include "eflow/trainer/ranks/slice_gather.hpp"

#include <functional>
#include <utility>

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

/// Copies the slices of a rank, which are one after the other, to their places in the whole row.
void spread(const Tensor& slices, const FlatLayout& layout, int rank, const Tensor& row) {
  std::int64_t at = 0;
  for (const FlatLayout::Bucket& bucket : layout.buckets()) {
    const comm::ShardRange& slice = bucket.slices[static_cast<std::size_t>(rank)];
    part_of(row, bucket.offset + slice.first, slice.count())
        .assign(part_of(slices, at, slice.count()));
    at += slice.count();
  }
}

/// Copies pieces of the row into the tensors.
void fill_from(const Tensor& row, const std::vector<Piece>& pieces,
               const nn::NamedTensors& tensors) {
  for (const Piece& piece : pieces) {
    const Tensor& tensor = tensors[piece.parameter].second;
    part_of(tensor, piece.begin, piece.count).assign(part_of(row, piece.offset, piece.count));
  }
}

/// Sends this rank's pieces of the tensors to all others, and stores theirs. pieces_of: of a rank, in
/// the order of its row, which is of this dtype.
void exchange_pieces(const nn::NamedTensors& tensors,
                     const std::function<std::vector<Piece>(int rank)>& pieces_of, DType dtype,
                     comm::Communicator* ranks, const comm::Call& call) {
  const Tensor& any = tensors[0].second;
  const auto new_row = [&](const std::vector<Piece>& pieces) {
    const std::int64_t count = pieces.empty() ? 0 : pieces.back().offset + pieces.back().count;
    return Tensor::empty({count}, dtype, any.device());
  };
  const int me = ranks->rank();
  const std::vector<Piece> mine = pieces_of(me);
  const Tensor own = new_row(mine);
  for (const Piece& piece : mine) {
    part_of(own, piece.offset, piece.count)
        .assign(part_of(tensors[piece.parameter].second, piece.begin, piece.count));
  }
  comm::TensorMessages messages(ranks, call);
  std::vector<std::vector<Piece>> pieces;
  std::vector<Tensor> rows;
  std::int64_t total = own.count();
  for (int r = 0; r < ranks->size(); ++r) {
    pieces.push_back(r == me ? std::vector<Piece>() : pieces_of(r));
    rows.push_back(new_row(pieces.back()));
    total += rows.back().count();
    if (r == me) continue;
    messages.send(r, own);
    messages.receive(r, rows.back());
  }
  if (total == 0) return;  // on all ranks
  messages.start();
  messages.finish();
  for (std::size_t r = 0; r < rows.size(); ++r) fill_from(rows[r], pieces[r], tensors);
}

}  // namespace

Tensor gather_rows(const FlatLayout& layout, const Tensor& own, comm::Communicator* ranks,
                   const comm::Call& call) {
  if (ranks->size() == 1) return own;
  const Tensor row = Tensor::empty({layout.count()}, own.dtype(), own.device());
  comm::TensorMessages messages(ranks, call);
  std::vector<Tensor> rows;  // of each rank
  for (int r = 0; r < ranks->size(); ++r) {
    const bool mine = r == ranks->rank();
    rows.push_back(mine ? own : Tensor::empty({layout.count(r)}, own.dtype(), own.device()));
    if (mine) continue;
    messages.send(r, own);
    messages.receive(r, rows.back());
  }
  messages.start();
  messages.finish();
  for (int r = 0; r < ranks->size(); ++r) spread(rows[static_cast<std::size_t>(r)], layout, r, row);
  return row;
}

void share_slices(const FlatLayout& layout, const nn::NamedTensors& tensors,
                  const std::vector<bool>& narrow, comm::Communicator* ranks,
                  const comm::Call& call) {
  if (ranks->size() == 1 || tensors.empty()) return;
  for (const bool as_bf16 : {false, true}) {
    const DType dtype = as_bf16 ? DType::kBF16 : tensors[0].second.dtype();
    const auto chosen = [&](int rank) {  // pieces of a slice, from 0 on in the row of the message
      std::vector<Piece> pieces = layout.pieces(rank);
      std::erase_if(pieces, [&](const Piece& p) { return narrow.at(p.parameter) != as_bf16; });
      std::int64_t at = 0;
      for (Piece& piece : pieces) piece.offset = std::exchange(at, at + piece.count);
      return pieces;
    };
    exchange_pieces(tensors, chosen, dtype, ranks, call);
  }
}

nn::NamedTensors collect_slices(const FlatLayout& layout, const nn::NamedTensors& own,
                                const nn::NamedTensors& like, comm::Communicator* ranks,
                                const comm::Call& call) {
  if (ranks->size() == 1) return own;
  const Tensor& any = like.at(0).second;
  const Tensor mine = row_of(own, layout.count(ranks->rank()), any);
  comm::TensorMessages messages(ranks, call);
  std::vector<Tensor> rows{mine};  // of each rank
  if (!ranks->is_first()) messages.send(0, mine);
  for (int r = 1; ranks->is_first() && r < ranks->size(); ++r) {
    rows.push_back(Tensor::empty({layout.count(r)}, any.dtype(), any.device()));
    messages.receive(r, rows.back());
  }
  messages.start();
  messages.finish();
  if (!ranks->is_first()) return {};
  nn::NamedTensors whole;
  for (const auto& [name, tensor] : like)
    whole.emplace_back(name, Tensor::empty(tensor.shape(), tensor.dtype(), tensor.device()));
  for (int r = 0; r < ranks->size(); ++r)
    fill_from(rows[static_cast<std::size_t>(r)], layout.pieces(r), whole);
  return whole;
}

}  // namespace eflow::trainer
