#pragma once
// Which tokens the middle of the network sees when tokens are dropped. A mask belongs to a sample and a step: every pass of
// the sample uses it, as a difference between the passes would be multiplied by 1 / r in the consistency target.
//
// Structured: the token grid is cut into small boxes and every box keeps the same number of its tokens, drawn anew for
// every box, so that no region goes unseen.                                [arXiv 2603.27086, §3.2; SPRINT]

#include <string_view>

#include "eflow/core/ops.hpp"
#include "eflow/nn/rope3d.hpp"

namespace eflow::soflow {

enum class DropKind {
  kNone,
  kGroups3d,  ///< boxes of 2x2x2 tokens; with an odd number of frames the first one is cut into 1x2x2
  kGroups2d,  ///< boxes of 1x2x2 tokens
  kIid,       ///< all tokens alike
};

/// "none", "groups-3d", "groups-2d", "iid".
[[nodiscard]] std::string_view name_of(DropKind kind);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] DropKind drop_kind(std::string_view name);

struct TokenDrop {
  DropKind kind = DropKind::kNone;
  double ratio =
      0.75;  ///< share of tokens dropped; of a box it must leave a whole number of tokens, at least one
  /// The share that is dropped: none for kNone.
  [[nodiscard]] double share() const { return kind == DropKind::kNone ? 0 : ratio; }
};

/// M, the tokens kept of a grid: (1 - ratio) N for boxes, N - floor(ratio N) for kIid, N for kNone.
/// Throws InvalidArgument where boxes do not fill the grid or the ratio does not fit them; says what would.
[[nodiscard]] std::int64_t kept_count(const TokenDrop& drop, const nn::Grid3& grid);

/// Ids of the kept tokens of each sample, ascending: i64 [B, M] for nn::Condition::kept; undefined for kNone.
/// Row b is a function of the key and sample_ids[b]. Throws what kept_count() throws.
[[nodiscard]] Tensor draw_kept(const TokenDrop& drop, const nn::Grid3& grid, const RandomKey& key,
                               const std::vector<std::int64_t>& sample_ids,
                               const DevicePtr& device = default_device());

/// In which steps tokens are dropped. The paper's runs drop for the first 80 %, or in 9 of 10 steps.
struct DropSchedule {
  std::int64_t until = 0;        ///< steps from here on are dense; 0: none is for this reason
  std::int64_t dense_every = 0;  ///< every such step is dense; 0: none is for this reason
  /// step: finished steps.
  [[nodiscard]] bool drops_at(std::int64_t step) const;
};

}  // namespace eflow::soflow
