#pragma once
// Copies that change the order of dimensions, by tiles (kernels_src/permute.h). Internal to core.

#include <optional>

#include "eflow/core/base/shape.hpp"
#include "eflow/kernels_src/args/permute.h"

namespace eflow::detail {

/// A launch of permute.h. x and y are set by the caller.
struct PermutedCopy {
  args::Permute args{};
  std::int64_t tiles = 0;
  int rank = 0, rank_of_y = 0;  ///< lengths of by_x and by_y: the kernel's constants
};

/// Plans a copy between tensors of one shape with these strides, in elements of `bytes` bytes. Returns
/// nothing where tiles gain nothing: x and y are contiguous along the same dimension, or along none,
/// or a dimension is broadcast; and where no tile has at most args::kMostTileElements elements.
[[nodiscard]] std::optional<PermutedCopy> plan_permuted_copy(const Shape& shape, const Strides& x,
                                                             const Strides& y, std::int64_t bytes);

}  // namespace eflow::detail
