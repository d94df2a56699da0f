#include "eflow/core/ops/rows.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::detail {
namespace {

/// Whether axes [first, last) of x can be traversed with one stride. Sets `stride` unless they have
/// only one element.
bool merge(const Tensor& x, int first, int last, std::int64_t& stride) {
  std::int64_t step = 0;
  std::int64_t count = 1;
  for (int i = last - 1; i >= first; --i) {
    if (x.size(i) == 1) continue;
    if (count == 1)
      step = x.strides()[i];
    else if (x.strides()[i] != step * count)
      return false;
    count *= x.size(i);
  }
  if (count > 1) stride = step;
  return true;
}

}  // namespace

Rows rows_of(const Tensor& x, int axes) {
  const int outer = x.rank() - axes;
  Rows rows;
  rows.x = x;
  rows.width = 1;
  for (int i = outer; i < x.rank(); ++i) rows.width *= x.size(i);
  rows.count = rows.width > 0 ? x.count() / rows.width : 0;
  std::int64_t inner = 1;
  rows.stride = rows.width;
  if (!merge(x, outer, x.rank(), inner) || inner != 1 || !merge(x, 0, outer, rows.stride)) {
    const NoGrad off;
    rows.x = contiguous(x);
    rows.stride = rows.width;
  }
  return rows;
}

}  // namespace eflow::detail
