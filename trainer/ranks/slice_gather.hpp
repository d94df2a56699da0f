#pragma once
// Exchanges of slices: from values of which each rank has its slice to whole ones.

#include "eflow/core/comm/communicator.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"

namespace eflow::trainer {

/// The row of all values; `own` is the row of this rank's slices, one after the other. Throws
/// PeerError.
[[nodiscard]] Tensor gather_rows(const FlatLayout& layout, const Tensor& own,
                                 comm::Communicator* ranks, const comm::Call& call);

/// Copies the slice of each rank's tensors into those of all others. The tensors are those of the
/// layout. Those that `narrow` marks travel as bf16: other ranks get rounded values, which is enough
/// for weights that are only ever computed with in bf16, and half of the bytes. Does nothing with one
/// rank. Throws PeerError.
void share_slices(const FlatLayout& layout, const nn::NamedTensors& tensors,
                  const std::vector<bool>& narrow, comm::Communicator* ranks,
                  const comm::Call& call);

/// Whole tensors of which each rank has own_part() only. `like`: names and shapes. All ranks call
/// it; rank 0 gets the tensors, the others nothing. Throws PeerError.
[[nodiscard]] nn::NamedTensors collect_slices(const FlatLayout& layout, const nn::NamedTensors& own,
                                              const nn::NamedTensors& like,
                                              comm::Communicator* ranks, const comm::Call& call);

}  // namespace eflow::trainer
