#pragma once
// Token dropping: which tokens the middle blocks of the network process. A mask belongs to a sample
// and a step. All passes of the sample share it, because a difference between passes would be
// multiplied by 1 / r in the SCM target.
//
// Structured dropping cuts the token grid into small boxes. Each box keeps the same number of
// tokens, drawn independently per box, so every region stays visible. [arXiv 2603.27086, §3.2;
// SPRINT]

#include <array>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/nn/layers/grid.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

enum class DropKind {
  kNone,
  kGroups3d,  ///< boxes of 2x2x2 tokens; for an odd number of frames, the first uses 1x2x2
  kGroups2d,  ///< boxes of 1x2x2 tokens
  kIid,       ///< all tokens with equal probability
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 4> kDropNames = {"none", "groups-3d", "groups-2d",
                                                               "iid"};
[[nodiscard]] std::string_view name_of(DropKind kind);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] DropKind drop_kind(std::string_view name);

struct TokenDrop {
  DropKind kind = DropKind::kNone;
  /// Share of tokens to drop. Must leave a whole number of tokens in each box, at least one.
  double ratio = 0.75;
  /// Returns the share that is dropped: 0 for kNone.
  [[nodiscard]] double share() const { return kind == DropKind::kNone ? 0 : ratio; }
};

/// Returns M, the number of tokens kept: (1 - ratio) N for boxes, N - floor(ratio N) for kIid, N
/// for kNone. Throws InvalidArgument, with a remedy, if the boxes do not fill the grid or the ratio
/// does not fit them.
[[nodiscard]] std::int64_t kept_count(const TokenDrop& drop, const nn::Grid3& grid);

/// Returns the ids of the kept tokens of each sample, ascending: i64 [B, M] for
/// nn::Condition::kept; undefined for kNone. Row b depends on the key and sample_ids[b] only.
/// Throws like kept_count().
[[nodiscard]] Tensor draw_kept(const TokenDrop& drop, const nn::Grid3& grid, const RandomKey& key,
                               const std::vector<std::int64_t>& sample_ids,
                               const DevicePtr& device = default_device());

/// The steps in which tokens are dropped. The paper drops in the first 80 % of the steps (Kinetics)
/// or in 9 of 10 steps (text to video). [arXiv 2603.27086, C.1 and C.2]
struct DropSchedule {
  std::int64_t until = 0;        ///< dense from this step on; 0: no limit
  std::int64_t dense_every = 0;  ///< every dense_every-th step is dense; 0: none
  /// Returns whether the step drops tokens; step counts finished steps.
  [[nodiscard]] bool drops_at(std::int64_t step) const;
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
