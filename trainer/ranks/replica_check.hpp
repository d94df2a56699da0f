#pragma once
// Weights that all ranks have must be the same bits on all of them. A memory that flips a bit
// breaks that silently: the ranks go on with different weights.

#include "eflow/core/comm/communicator.hpp"
#include "eflow/nn/layers/module.hpp"

namespace eflow::trainer {

/// Compares hashes of each tensor across ranks. All ranks must call it. Throws comm::PeerError on
/// all of them if a tensor differs, naming it and the ranks whose bits are not those of most ranks.
/// step: finished steps.
void require_same_bits(const nn::NamedTensors& tensors, comm::Communicator* ranks,
                       std::int64_t step);

}  // namespace eflow::trainer
