#pragma once
// Ops on rows that are aligned and long enough that each thread of a GPU takes several runs of
// 16 bytes (kernels_src/tile/runs.h), with a rest; the registry's samples have short rows.

#include "eflow/core/attention/qk_norm.hpp"
#include "eflow/core/ops/residual_norm.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/support/op_agreement.hpp"

namespace eflow::test {

inline std::vector<Sample> wide_rows() {
  constexpr std::int64_t kWidth = 1096, kHeads = 4, kHead = 136;
  const Sample::Input rows{{3, kWidth}}, weight{{kWidth}, 0.5, 1.5}, bias{{kWidth}};
  const Sample::Input clip{{2, 9, kWidth}}, modulation{{2, kWidth}};
  const Sample::Input angles{{5, kHead / 2}, -1, 1, false};
  using X = const Tensors&;
  return {
      {"layer norm",
       {rows, weight, bias},
       [](X x) { return Tensors{layer_norm(x[0], x[1], x[2], 1e-5)}; }},
      {"modulated layer norm",
       {clip, modulation, modulation},
       [](X x) { return Tensors{modulated_layer_norm(x[0], x[1], x[2], 1e-5)}; }},
      {"rms norm of groups",
       {{{3, 1056}}, {{1056}, 0.5, 1.5}},
       [](X x) { return Tensors{rms_norm(x[0], x[1], 2, 1e-5)}; }},
      {"residual and norm",
       {clip, clip, modulation, modulation, modulation},
       [](X x) {
         const NormedResidual r = residual_norm(x[0], x[1], x[2], x[3], x[4], 1e-5, x[0].dtype());
         return Tensors{r.h, r.normed};
       }},
      {"softmax", {rows}, [](X x) { return Tensors{softmax(x[0])}; }},
      {"rope",
       {{{2, 5, kHeads, kHead}}, angles, angles},
       [](X x) { return Tensors{rope(x[0], x[1], x[2], kHeads)}; }},
      {"norm and rope of q and k",
       {{{2, 5, 3 * kHeads * kHead}}, {{kHeads * kHead}}, {{kHeads * kHead}}, angles, angles},
       [](X x) {
         const QkvHeads r = qk_norm_rope(x[0], x[1], x[2], x[3], x[4], kHeads, 1e-5);
         return Tensors{r.q, r.k, r.v};
       }},
      {"a vector and a column broadcast",
       {rows, weight, {{3, 1}}},
       [](X x) { return Tensors{mul_add(x[0], x[1], x[0]) * x[2]}; }},
      {"gelu", {{{5, kWidth}, -4, 4}}, [](X x) { return Tensors{gelu(x[0])}; }},
      {"concat",
       {rows, {{3, 8}}, rows},
       [](X x) {
         return Tensors{concat({x[0], x[1], x[2]}, 1)};
       }},
      {"kept tokens",
       {clip},
       [](X x) {
         const std::vector<std::int64_t> kept{1, 7, 0, 8};
         return Tensors{gather_tokens(x[0], Tensor::from(kept, {2, 2}))};
       }},
      {"columns",
       {{{70, kWidth}}, weight},
       [](X x) {
         return Tensors{sum(x[0], {0}), x[0] * x[1]};
       }},
      {"a video to patches and back",
       {{{2, 16, 2, 6, 8}}},
       [](X x) {
         const Tensor cut = reshape(x[0], {2, 16, 2, 1, 3, 2, 4, 2});
         const Tensor patches = reshape(permute(cut, {0, 2, 4, 6, 1, 3, 5, 7}), {2, 24, 64});
         const Tensor apart = reshape(patches * patches, {2, 2, 3, 4, 1, 2, 2, 16});
         return Tensors{patches,
                        reshape(permute(apart, {0, 7, 1, 4, 2, 5, 3, 6}), {2, 16, 2, 6, 8})};
       }},
      {"pairs moved together",
       {{{3, 5, 4, 2}}},
       [](X x) {
         return Tensors{reshape(permute(x[0], {2, 0, 1, 3}), {4, 30})};
       }},
  };
}

/// Checks all of them on `device`.
inline void check_wide_rows(const DevicePtr& device, std::initializer_list<DType> dtypes) {
  const OpEntry op{"wide rows", true, wide_rows};
  check_op(op, device, dtypes);
}

}  // namespace eflow::test
