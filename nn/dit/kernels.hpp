#pragma once
// The runtime-specialised kernels that a network needs, derived from its config alone: what `eflow
// jit prepare` compiles before a run, and the default specialisations of all presets.

#include <string>
#include <vector>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/jit/tune/workload.hpp"
#include "eflow/nn/dit/config.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

/// How a network runs.
struct KernelNeeds {
  jit::Backend backend = jit::Backend::kHost;
  DType dtype = DType::kF32;  ///< of activations
  int kept_percent = 0;       ///< share of the middle's tokens when dropping; 0: no token dropping
  bool gradients = true;      ///< include the backward pass
};

/// Returns the kernels of the network's attention: GLGA, full softmax and cross-attention. With
/// token dropping, the dense kernels are included. All other ops run on built-in kernels.
[[nodiscard]] std::vector<jit::KernelRef> kernels_of(const DiTConfig& config,
                                                     const KernelNeeds& needs);

/// Returns the same kernels for the tuner, each with the sizes of one sample: tokens, heads, radius
/// (core/tuning/tunable_kernels.hpp).
[[nodiscard]] std::vector<jit::TuningJob> tuning_jobs(const DiTConfig& config,
                                                      const KernelNeeds& needs);

/// One row of the default specialisations.
struct DefaultKernels {
  std::string model = {};  ///< a preset, or a preset with another number of heads
  std::int64_t head = 0, radius = 0;
  KernelNeeds needs = {};
  std::vector<jit::KernelRef> kernels = {};
};
/// Returns the rows of a backend, for training, dense and with 75 % of the middle's tokens dropped.
/// CPU: the CPU presets in f32. GPU: the CPU presets in f32 and bf16 and the paper's sizes in bf16
/// [arXiv 2603.27086, Tab. 5], two of them also with wide heads.
[[nodiscard]] std::vector<DefaultKernels> default_specialisations(jit::Backend backend);
/// Returns their kernels without duplicates, in the order of the rows.
[[nodiscard]] std::vector<jit::KernelRef> default_kernels(jit::Backend backend);
/// Returns the text of docs/specialisations.md.
[[nodiscard]] std::string specialisations_page();

}  // namespace eflow::nn

EFLOW_EXPORT_END
