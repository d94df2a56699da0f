#pragma once
// How a run begins: its kernels, and the state that it starts from.

#include <functional>
#include <optional>
#include <string>

#include "eflow/nn/dit/config.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/say.hpp"

namespace eflow::trainer {

struct Parts;

/// "cpu, avx512 on 2 threads"
[[nodiscard]] std::string describe_device();

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

/// Loads the networks' kernels from the caches, or compiles them, before the first step; reports
/// the numbers and the time.
void prepare_kernels(const Parts& parts, const Say& say);

/// While it lives, a stop of the run also ends the compiles that it waits for.
class CompilesStop {
 public:
  explicit CompilesStop(const std::function<bool()>& stop);
  ~CompilesStop();
  CompilesStop(const CompilesStop&) = delete;
  CompilesStop& operator=(const CompilesStop&) = delete;
};

/// Resumes the trainer from a checkpoint of this run, and returns the run's history.
[[nodiscard]] RunHistory start_from(const io::Checkpoint& checkpoint, const Config& config,
                                    const Say& say, Parts* parts);

/// Starts a new run from another one (train.init_from): from its averaged weights, which may have
/// other embedders, or from its whole state, as train.init_state says. Fills what the run's history
/// notes about it.
void init_from(const TrainConfig& config, const Say& say, Parts* parts, RunHistory* history);

/// Warns if the teacher is no longer the one that the run began with: a resumed run would differ
/// from an uninterrupted one.
void check_teacher(const std::optional<WeightsOrigin>& was, const std::optional<WeightsOrigin>& is);

}  // namespace eflow::trainer
