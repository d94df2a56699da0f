#pragma once
// RankGrid: the ranks of a run as lanes of `train.sequence` ranks each. The ranks of a lane have
// the same clips and divide their tokens; lanes have different clips.

#include <memory>

#include "eflow/core/comm/communicator.hpp"

namespace eflow::trainer {

class RankGrid {
 public:
  /// All ranks must construct theirs together. `all` must outlive this object. Throws
  /// InvalidArgument if `sequence` does not divide the number of ranks.
  RankGrid(comm::Communicator* all, std::int64_t sequence);

  [[nodiscard]] comm::Communicator& all() const { return *all_; }
  /// The ranks of this lane; nullptr if each is alone with its clips.
  [[nodiscard]] comm::Communicator* lane_ranks() const { return lane_ranks_.get(); }
  [[nodiscard]] int lane() const { return all_->rank() / sequence_; }
  [[nodiscard]] int lanes() const { return all_->size() / sequence_; }
  /// Whether this rank is the first of its lane, all of whose ranks have the same results.
  [[nodiscard]] bool leads() const { return all_->rank() % sequence_ == 0; }

 private:
  comm::Communicator* all_;
  int sequence_;
  std::unique_ptr<comm::Communicator> lane_ranks_;
};

}  // namespace eflow::trainer
