#pragma once
// Which kernels that are specialised at run time a network needs, known before any tensor is: what `prepare` compiles ahead of
// a run, and the list of default specialisations, all named sizes together.

#include <string>
#include <vector>

#include "eflow/core/glga.hpp"
#include "eflow/jit/workload.hpp"
#include "eflow/nn/dit_config.hpp"

namespace eflow::nn {

/// How a network is run.
struct KernelNeeds {
  jit::Backend backend = jit::Backend::kHost;
  DType dtype = DType::kF32;  ///< of activations
  int kept_percent = 0;       ///< of the middle's tokens; 0: all, and none is dropped anywhere
  bool gradients = true;
};

/// Kernels of the network's attention: gated, full softmax, cross-attention. Those of a network that drops tokens include
/// those of one that does not. Everything else runs on built-in kernels.
[[nodiscard]] std::vector<jit::KernelRef> kernels_of(const DiTConfig& config,
                                                     const KernelNeeds& needs);

/// The same for the tuner, each with the sizes of one sample: tokens, heads, radius (core/runnable_kernels.hpp).
[[nodiscard]] std::vector<jit::TuningJob> tuning_jobs(const DiTConfig& config,
                                                      const KernelNeeds& needs);

/// One line of the list of default specialisations.
struct DefaultKernels {
  std::string model;  ///< a preset, or one with other heads
  std::int64_t head, radius;
  KernelNeeds needs;
  std::vector<jit::KernelRef> kernels;
};
/// Every preset, dense and with 75 % of the middle's tokens dropped, for training: on the CPU its own presets in f32; on a GPU
/// these in f32 and bf16, and the paper's models in bf16 [arXiv 2603.27086, Tab. 5], two of them with wide heads too.
[[nodiscard]] std::vector<DefaultKernels> default_specialisations(jit::Backend backend);
/// Their kernels, each once, in the order of the list.
[[nodiscard]] std::vector<jit::KernelRef> default_kernels(jit::Backend backend);
/// docs/specialisations.md.
[[nodiscard]] std::string specialisations_page();

}  // namespace eflow::nn
