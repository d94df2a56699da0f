#pragma once
// SequencePart: the tokens of a clip that one rank of several has. Ranks divide the clip by pairs
// of token frames (an odd first frame counts as a pair), so that the boxes of structured token
// dropping stay whole.

#include "eflow/core/base/export.hpp"
#include "eflow/core/sequence/sequence_ops.hpp"
#include "eflow/nn/attention/attention_options.hpp"
#include "eflow/nn/layers/grid.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// The token frames of each rank, in rank order. Throws InvalidArgument for more ranks than pairs
/// of frames.
[[nodiscard]] std::vector<comm::ShardRange> frames_of_ranks(std::int64_t frames, int ranks);

class SequencePart {
 public:
  /// A pass over all tokens of a grid. `ranks` must outlive this object.
  SequencePart(const Grid3& grid, comm::Communicator* ranks);
  /// The same for a pass over kept tokens, i64 [B, M] as in Condition::kept. Throws InvalidArgument
  /// if a rank would have more tokens of one sample than of another.
  [[nodiscard]] SequencePart kept(const Tensor& kept) const;

  [[nodiscard]] comm::Communicator* ranks() const { return ranks_; }
  [[nodiscard]] const std::vector<comm::ShardRange>& frames() const { return frames_; }
  /// Of this rank.
  [[nodiscard]] const comm::ShardRange& own_frames() const;
  [[nodiscard]] Grid3 own_grid() const;
  /// The tokens of this pass that this rank has, counted over the pass.
  [[nodiscard]] const comm::ShardRange& own_tokens() const;
  /// Tokens of this pass on all ranks, per sample.
  [[nodiscard]] std::int64_t tokens() const { return own_.back().last; }
  /// Approximate percentage of the grid's tokens that this pass has.
  [[nodiscard]] int kept_percent() const;
  /// The ids of this rank's kept tokens, counted from the first token of its frames: i64 [B, m].
  [[nodiscard]] Tensor own_ids(const DevicePtr& device) const;
  /// Raster positions of some tokens of the pass, i64 [B, n]; undefined if it has all tokens.
  [[nodiscard]] Tensor positions(const comm::ShardRange& tokens, const DevicePtr& device) const;

  /// Every rank needs all keys.
  [[nodiscard]] TokenDivision all_keys() const;
  /// A rank needs the keys within a window's radius of its tokens.
  [[nodiscard]] TokenDivision window(std::int64_t radius, WindowIndex index) const;

 private:
  /// Tokens of the pass from the first whose raster position is at least `begin` in some sample, to
  /// the last below `end`.
  [[nodiscard]] comm::ShardRange between(std::int64_t begin, std::int64_t end) const;

  Grid3 grid_;
  comm::Communicator* ranks_;
  std::vector<comm::ShardRange> frames_, own_;
  std::vector<std::vector<std::int64_t>> kept_;  ///< of each sample, ascending; empty: all tokens
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
