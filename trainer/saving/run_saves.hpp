#pragma once
// RunSaves: the saves of a training run: which are in progress, which checkpoint is the last one, and
// when a save that failed is tried again. What a checkpoint holds is the caller's.

#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "eflow/trainer/saving/background_saver.hpp"

namespace eflow::trainer {

/// A save that fails is a warning and is tried again; the third failure in a row throws the exception
/// of that save. `describe` is called on rank 0, as a part of the save. "All ranks": they must call
/// it together, for the same step. Threads: as BackgroundSaver.
class RunSaves {
 public:
  using Describe = std::function<SaveRequest()>;

  /// ranks: those of the run, which must outlive this object. `every`: steps between the run's
  /// saves; a tenth of them pass before a failed one is tried again.
  RunSaves(comm::Communicator* ranks, std::int64_t every);

  /// The run starts from this checkpoint, which is then the last one.
  void start_from(const io::Checkpoint& checkpoint);

  /// Notes how saves came out that have ended. `step`: finished steps.
  void note_ended(std::int64_t step) { note(step, ""); }
  /// Rank 0: whether a save is to be tried again after this step.
  [[nodiscard]] bool is_due(std::int64_t step) const { return step == retry_; }
  /// Rank 0: has is_due() ask for a save after this step.
  void retry_after(std::int64_t step) { retry_ = step; }
  /// As those of BackgroundSaver: the ranks exchange their reports in each step.
  [[nodiscard]] std::string take_reports() { return saver_.take_reports(); }
  void publish(const std::vector<std::string>& reports) { saver_.publish(reports); }

  /// All ranks. Saves in the background, or until the checkpoint is durable.
  void save(std::int64_t step, const StateParts& state, bool waits, const Describe& describe);
  /// All ranks. Saves until a checkpoint of this step is durable.
  void save_at_end(std::int64_t step, const StateParts& state, const Describe& describe);

  /// All ranks, when the run ends with an error: waits for the saves in progress. From here on, saves
  /// that fail are warnings only.
  void finish(std::int64_t step);
  /// As finish(), for this rank alone, whatever the others do.
  void finish_alone();
  /// All ranks. Saves once, and waits for it.
  void save_before_error(std::int64_t step, const StateParts& state, const Describe& describe);

  /// The step of the last checkpoint; 0 if there is none.
  [[nodiscard]] std::int64_t last_step() const { return last_step_; }
  /// Its folder.
  [[nodiscard]] const std::filesystem::path& last_checkpoint() const { return last_checkpoint_; }
  /// The same for messages: "none" if there is none.
  [[nodiscard]] std::string last_name() const;
  /// Rank 0: steps whose saves this object has begun and that have not failed.
  [[nodiscard]] const std::set<std::int64_t>& begun() const { return begun_; }

 private:
  /// All ranks. `next`: what a warning says of the next attempt; empty: the step after which it
  /// takes place.
  void attempt(std::int64_t step, const StateParts& state, bool waits, const Describe& describe,
               const std::string& next);
  void note(std::int64_t step, const std::string& next);
  void note_success(const io::SaveOutcome& outcome);
  void note_failure(std::int64_t step, std::int64_t now, const std::exception_ptr& error,
                    const std::string& next);
  void note_at_error();

  comm::Communicator& ranks_;
  std::int64_t pause_;  ///< steps after a failure
  std::filesystem::path last_checkpoint_;
  std::int64_t last_step_ = 0;
  std::int64_t retry_ = 0;  ///< step after which a failed save is tried again; 0: none
  int failures_ = 0;        ///< in a row
  std::set<std::int64_t> begun_;
  BackgroundSaver saver_;
};

}  // namespace eflow::trainer
