#pragma once
// FusedAttention: runs glga() where its kernels can be had, else the same by plain ops. Which, is decided once a kind of
// call, when it is prepared or first made: that is when kernels are compiled.

#include <compare>
#include <map>
#include <mutex>

#include "eflow/core/glga.hpp"

namespace eflow::nn {

class FusedAttention {
 public:
  /// As glga(). All calls of one object have the same heads, gates and options, but for dtype, number of tokens,
  /// radius and whether tokens were dropped.
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& gates, const Tensor& global_weight,
                                  const Tensor& local_weight, const GlgaOptions& options) const;
  /// Decides, and compiles, for calls with such q and gates; of their numbers of tokens any will do.
  bool prepare(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
               bool gradients) const;

 private:
  struct Decision {
    DType dtype;
    int kept_percent;  ///< 0: no tokens dropped
    bool gradients;
    std::int64_t radius;
    friend auto operator<=>(const Decision&, const Decision&) = default;
  };
  mutable std::mutex deciding_;
  mutable std::map<Decision, bool> decided_;
};

/// What glga() is told for softmax over all keys and nothing else.
[[nodiscard]] const GlgaOptions& softmax_options();

/// softmax(q k^T / sqrt(d)) v over all keys; q [B, Nq, H, d], k and v [B, Nk, H, d] -> [B, Nq, H, d].
class SoftmaxAttention {
 public:
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v) const;
  void prepare(const Tensor& q, bool gradients) const;

 private:
  FusedAttention run_;
};

}  // namespace eflow::nn
