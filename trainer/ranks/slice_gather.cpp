#include "eflow/trainer/ranks/slice_gather.hpp"

#include "eflow/core/sequence/host_copy.hpp"

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
  comm::HostCopy mine(own, true);
  std::vector<comm::HostCopy> parts;
  std::vector<std::span<std::byte>> all;
  for (int r = 0; r < ranks->size(); ++r) {
    const bool is_own = r == ranks->rank();
    const comm::ShardRange& part = layout.slice(r);
    parts.emplace_back(is_own ? own : part_of(row, part.first, part.count()), is_own);
  }
  for (comm::HostCopy& part : parts) all.push_back(part.bytes());
  ranks->all_gather(mine.bytes(), all, call).wait();
  for (comm::HostCopy& part : parts) part.write_back();
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
  comm::HostCopy out(mine, true);
  if (!ranks->is_first()) {
    ranks->exchange({{0, out.bytes()}}, {}, call).wait();
    return {};
  }
  const Tensor row = Tensor::empty({layout.count()}, any.dtype(), any.device());
  part_of(row, 0, mine.count()).assign(mine);
  std::vector<comm::HostCopy> parts;
  std::vector<comm::Incoming> receives;
  for (int r = 1; r < ranks->size(); ++r)
    parts.emplace_back(part_of(row, layout.slice(r).first, layout.slice(r).count()), false);
  for (std::size_t i = 0; i < parts.size(); ++i)
    receives.push_back({static_cast<int>(i) + 1, parts[i].bytes()});
  ranks->exchange({}, receives, call).wait();
  for (comm::HostCopy& part : parts) part.write_back();
  nn::NamedTensors whole;
  for (const auto& [name, tensor] : like)
    whole.emplace_back(name, Tensor::empty(tensor.shape(), tensor.dtype(), tensor.device()));
  fill_from(row, layout.parameters(), whole);
  return whole;
}

}  // namespace eflow::trainer
