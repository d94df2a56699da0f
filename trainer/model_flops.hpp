#pragma once
// Useful floating-point operations of a network, by formula: matrix products and attention pairs inside the window,
// 2 a multiply-add; norms and the like are left out.                                      [algorithms: kernels, §4.4]

#include "eflow/nn/dit_config.hpp"
#include "eflow/soflow/objective.hpp"

namespace eflow::trainer {

struct ForwardFlops {
  double products = 0;   ///< all Linear layers, of one clip
  double attention = 0;  ///< scores, mixing and the linear branch, of one clip
  [[nodiscard]] double total() const { return products + attention; }
};

/// Of one clip through the whole network once.
[[nodiscard]] ForwardFlops forward_flops(const nn::DiTConfig& config);

/// Forwards and backwards a step does a clip, in units of one forward (a backward is 2): 3 for flow matching, 4 for
/// consistency, and what guidance adds.
[[nodiscard]] double passes_per_clip(const soflow::ObjectiveOptions& objective);

}  // namespace eflow::trainer
