#include "eflow/core/ops/select.hpp"

#include "eflow/core/ops/rows.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/kernels_src/args/tokens.h"

namespace eflow::detail {

void launch_select(const Tensor& x, const Tensor& index, const Tensor& fill, const Tensor& y) {
  if (y.count() == 0) return;
  const Rows rows = rows_of(x);
  args::SelectRows a{};
  a.x = rows.x.data();
  a.y = y.data();
  a.fill = fill.defined() ? fill.data() : nullptr;
  a.index = static_cast<const long long*>(index.data());
  a.rows = y.size(1);
  a.width = y.size(2);
  a.x_row_stride = rows.stride;
  a.x_batch_stride = rows.stride * x.size(1);
  a.rows_per_block = rows_per_block(*y.device(), a.width);
  y.device()->launch("select_rows", jit::KernelSpec("select_rows", {y.dtype()}),
                     {blocks(a.rows, a.rows_per_block), y.size(0)}, a);
}

}  // namespace eflow::detail
