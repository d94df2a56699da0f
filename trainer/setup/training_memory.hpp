#pragma once
// The memory that a run needs, by formula, and whether this machine has it.

#include <string>

#include "eflow/nn/dit/config.hpp"
#include "eflow/trainer/config/config.hpp"

namespace eflow::trainer {

/// Bytes on one device.
struct TrainingMemory {
  double state = 0;        ///< weights, gradients, both moments, averaged weights
  double activations = 0;  ///< approximate, of one micro-batch in the pass that keeps most
  double checkpoint = 0;   ///< on disk
};

/// Estimates memory by formula: per token, a block keeps about 4 D values of f32 and 11 D + 2 F of
/// train.precision (attention keeps nothing of size N x N); a recomputed block keeps its input
/// only.
[[nodiscard]] TrainingMemory memory_of(const Config& config, const nn::DiTConfig& model);

/// "217.1 MB", "1.20 GB"
[[nodiscard]] std::string describe_bytes(double bytes);

/// Throws DeviceError if the state of a run is larger than `available` bytes, the memory of this
/// machine (0: unknown), and warns if state and activations together are. `ranks` divide the
/// moments. Without this, the kernel would end the process with SIGKILL.
void require_memory(const Config& config, const nn::DiTConfig& model, int ranks, double available);

}  // namespace eflow::trainer
