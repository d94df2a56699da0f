#pragma once
// What an attention layer does to q and k before it, in one op: RMS norm and rotary position
// embedding.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// q, k and v of an attention layer, each [B, N, H, d].
struct QkvHeads {
  Tensor q, k, v;
};

/// Returns rope(rms_norm(q, q_weight)) and likewise k, out of one product qkv [B, N, 3 H d] with the
/// columns q, k, v; v is a view of it. The norms are over whole rows of H d. One pass over memory,
/// forward and backward, and the same bits as those ops. q_weight, k_weight [H d] and the tables of
/// rope(), cos and sin, have qkv's dtype, or f32 if qkv is bf16; the tables have no gradient.
/// Throws ShapeError, InvalidArgument.
[[nodiscard]] QkvHeads qk_norm_rope(const Tensor& qkv, const Tensor& q_weight,
                                    const Tensor& k_weight, const Tensor& cos, const Tensor& sin,
                                    int heads, double eps);

}  // namespace eflow

EFLOW_EXPORT_END
