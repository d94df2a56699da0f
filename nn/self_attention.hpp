#pragma once
// SelfAttention: one product makes q, k and v, RMSNorm over the full width and 3D RoPE prepare q
// and k, then full softmax or GLGA mixes, then an output product. [Wan 2.1; arXiv 2603.27086]

#include <memory>

#include "eflow/nn/glga.hpp"
#include "eflow/nn/rope3d.hpp"

namespace eflow::nn {

class SelfAttention : public Module {
 public:
  SelfAttention(const Scope& scope, std::int64_t width, int heads, const Glga::Options& options);

  /// x [B, N, D] -> [B, N, D]. tables: of these N tokens; positions: i64 [B, N] where tokens were
  /// dropped, else undefined.
  [[nodiscard]] Tensor operator()(const Tensor& x, const RopeTables& tables,
                                  const Tensor& positions = Tensor()) const;
  /// See Glga::prepare.
  void prepare(int kept_percent, bool gradients) const;

 private:
  std::int64_t width_;
  int heads_;
  Linear qkv_;
  RmsNorm q_norm_, k_norm_;
  std::unique_ptr<Glga> glga_;  ///< none: full softmax
  SoftmaxAttention softmax_;
  Linear out_;
};

}  // namespace eflow::nn
