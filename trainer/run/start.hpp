#pragma once
// How a run begins: its parts and kernels, and the state that it starts from.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "eflow/trainer/ranks/rank_grid.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/say.hpp"

namespace eflow::trainer {

struct Parts;

/// "cpu, avx512 on 2 threads"
[[nodiscard]] std::string describe_device();

/// ", rank 0 of 4, 8 shards, 2 ranks per clip"; empty for a single rank.
[[nodiscard]] std::string describe_ranks(const Config& config, const comm::Communicator& ranks);

/// All ranks. Opens the clips, and builds the networks, the trainer and their kernels. Checks that
/// the ranks have the same program and data set. The grid must outlive the parts. Throws as Parts and
/// require_agreement() do.
[[nodiscard]] std::unique_ptr<Parts> build_parts(const Config& config, const RankGrid& grid,
                                                 const Say& say);

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
