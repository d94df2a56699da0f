#pragma once
// RunFolder: the folder of a run that trains, as rank 0 keeps it: descriptions of the run, a line of
// metrics.jsonl per step, and what goes into a checkpoint besides the state. If someone moves or
// removes the folder, the run goes on in it, or in a new one.

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/guard/best_steps.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/run/say.hpp"
#include "eflow/trainer/saving/background_saver.hpp"
#include "eflow/trainer/step/metrics.hpp"
#include "eflow/trainer/step/side_output.hpp"

namespace eflow::trainer {

class RunFolder {
 public:
  /// Takes over an open directory (RunDirectory::open_for_training()) whose run goes on after
  /// `checkpoint`. Moves later checkpoints aside, since they belong to an abandoned attempt. Removes
  /// later lines of metrics.jsonl, and writes `pending` ones (RunHistory::pending_metrics). Throws
  /// NoSpaceError if the checkpoints that the folder will hold, of `checkpoint_size` bytes each, do
  /// not fit; IoError, CorruptData. `lost` is called when the checkpoints were removed. All must
  /// outlive this object.
  RunFolder(const Config& config, const DataInfo& data, RunDirectory* directory,
            const std::optional<io::Checkpoint>& checkpoint, std::uint64_t checkpoint_size,
            const std::string& pending, const Say& say, std::function<void()> lost);

  /// The lines of the steps before.
  [[nodiscard]] std::string metrics_text() const;
  /// Adds a step. What fails is a warning, and is tried again with the next step.
  void append(const StepMetrics& metrics);
  /// Follows a folder that was moved, or makes a removed one again. Throws IoError, NoSpaceError.
  void keep();

  /// The checkpoints to keep once a save is published, if those of `saving` are in progress.
  [[nodiscard]] io::Retention retention(const std::set<std::int64_t>& saving) const;
  /// A save of the last step. The lines up to it become durable before it is published; those that
  /// cannot be written are in the checkpoint. The save fails if the folder is moved meanwhile.
  [[nodiscard]] SaveRequest request(const io::Retention& kept, RunHistory history);

 private:
  void set_aside_after(std::int64_t step, const Say& say) const;
  void require_space(std::uint64_t checkpoint_size) const;
  void open_metrics(const std::optional<io::Checkpoint>& checkpoint, const std::string& pending,
                    const Say& say);
  void write_descriptions() const;

  const Config& config_;
  const DataInfo& data_;
  RunDirectory& directory_;
  std::function<void()> lost_;
  std::optional<MetricsWriter> metrics_;
  BestSteps best_;
  SideOutput moves_, lines_;
  SideOutput syncs_;  ///< the saving thread's
};

}  // namespace eflow::trainer
