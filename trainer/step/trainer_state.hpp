#pragma once
// The state of a trainer as named tensors, in groups of which each rank may have a part only.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"

namespace eflow::trainer {

/// Tensors whose names get a prefix.
struct StateGroup {
  std::string prefix;
  /// With the names, shapes and dtypes of the whole tensors. Those of the layout may have values on
  /// the rank that updates them only.
  nn::NamedTensors all;
  nn::NamedTensors own;  ///< this rank's part of those of the layout (own_part())
};

void append(const std::string& prefix, const nn::NamedTensors& from, nn::NamedTensors* to);

/// All ranks. The whole tensors of the groups; complete on rank 0 only. `weights`: those of the
/// layout. Throws PeerError.
[[nodiscard]] nn::NamedTensors collect_state(const std::vector<StateGroup>& groups,
                                             const nn::NamedTensors& weights,
                                             const FlatLayout& layout, comm::Communicator* ranks,
                                             const comm::Call& call);

/// Throws InvalidArgument listing every mismatch between the names and shapes of two states.
void require_same(const std::vector<std::pair<std::string, TensorSpec>>& expected,
                  const std::map<std::string, Tensor>& found);

/// Copies into `targets` the sources of the same names with the prefix.
void assign_all(const std::string& prefix, const nn::NamedTensors& targets,
                const std::map<std::string, Tensor>& sources);
/// Copies into group.own the parts of the sources that belong to `rank`. All of the group's tensors
/// must be of the layout.
void assign_part(const StateGroup& group, const std::map<std::string, Tensor>& sources,
                 const FlatLayout& layout, int rank);

}  // namespace eflow::trainer
