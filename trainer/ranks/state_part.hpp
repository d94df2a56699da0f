#pragma once
// StatePart: what one rank saves of a tensor. Together, the ranks save every element once; none
// needs the parts of the others for it.

#include <cstdint>
#include <string>
#include <vector>

#include "eflow/core/tensor/tensor.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"

namespace eflow::trainer {

struct StatePart {
  std::string name = {};
  TensorSpec whole = {};   ///< shape and dtype of the tensor
  std::int64_t first = 0;  ///< element
  Tensor values = {};      ///< undefined: this rank saves no element
};

using StateParts = std::vector<StatePart>;

/// Appends what `rank` saves of `all`, whose names get the prefix. Of those in the layout, that is
/// its slice, of which `own` has the pieces in order (own_part()); of others, which every rank has,
/// rank 0 saves all. Rank 0 lists every tensor, the others list those of which they save something.
void add_state_parts(const std::string& prefix, const nn::NamedTensors& all,
                     const nn::NamedTensors& divided, const FlatLayout& layout,
                     const nn::NamedTensors& own, int rank, StateParts* parts);

/// The same for tensors that every rank has as a whole.
void add_state_parts(const std::string& prefix, const nn::NamedTensors& all, int rank, int ranks,
                     StateParts* parts);

}  // namespace eflow::trainer
