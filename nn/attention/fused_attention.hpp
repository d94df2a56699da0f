#pragma once
// FusedAttention: runs the fused op glga() if its kernels are available, else its composition of
// plain ops. The choice is made once per kind of call, in prepare() or in the first call. Kernels
// are compiled at that point.

#include <compare>
#include <map>
#include <mutex>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

class FusedAttention {
 public:
  /// Same as glga(). The calls of one object must share heads, gates and options; they may differ
  /// in dtype, number of tokens, radius and token dropping. May be called concurrently.
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v,
                                  const Tensor& gates, const Tensor& global_weight,
                                  const Tensor& local_weight, const GlgaOptions& options) const;
  /// Makes the choice for calls with such q and gates and compiles the kernels. The number of
  /// tokens does not matter. Returns true if later calls run fused.
  bool prepare(const Tensor& q, const Tensor& gates, const GlgaOptions& options,
               bool gradients) const;

 private:
  struct CallKind {
    DType dtype = DType::kF32;
    int kept_percent = 0;  ///< 0: no tokens dropped
    bool gradients = false;
    std::int64_t radius = 0;
    friend auto operator<=>(const CallKind&, const CallKind&) = default;
  };
  mutable std::mutex mutex_;
  mutable std::map<CallKind, bool> is_fused_;
};

/// Returns the options of glga() for plain softmax over all keys.
[[nodiscard]] const GlgaOptions& softmax_options();

/// softmax(q k^T / sqrt(d)) v over all keys; q [B, Nq, H, d], k and v [B, Nk, H, d] -> [B, Nq, H,
/// d].
class SoftmaxAttention {
 public:
  [[nodiscard]] Tensor operator()(const Tensor& q, const Tensor& k, const Tensor& v) const;
  /// Compiles the kernels for calls with such q, with the backward pass's if `gradients`.
  void prepare(const Tensor& q, bool gradients) const;

 private:
  FusedAttention run_;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
