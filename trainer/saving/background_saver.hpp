#pragma once
// Saves a trainer's state on a thread of its own: training waits for a copy in host memory, not for
// the disk. Two copies alternate, so one save may wait while another is written; training waits at
// the next save after those. The steps that get a checkpoint are thus those of synchronous saving.
//
// Several ranks save together, each its parts of the state in a file of its own, and rank 0
// publishes the checkpoint when all have reported that theirs are written. The threads that write
// exchange no messages: reports pass through calls of the training threads.

#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/io/checkpoint/save_queue.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"

namespace eflow::trainer {

/// What a checkpoint holds besides the tensors, and where it goes.
struct SaveRequest {
  io::CheckpointStore store;
  std::string metadata = {};                ///< JSON
  std::vector<io::NamedBytes> extras = {};  ///< borrowed until the save has ended
  /// Called by the saving thread before the checkpoint is published; if it throws, the save fails.
  std::function<void()> before = [] {};
};

/// Threads: one thread at a time may call the members.
class BackgroundSaver {
 public:
  /// ranks: those that save together; nullptr: this process alone. Must outlive this object.
  explicit BackgroundSaver(comm::Communicator* ranks = nullptr);
  ~BackgroundSaver();

  /// All ranks. Copies this rank's parts and writes the copy in the background. Waits until at most
  /// one earlier save is unfinished on this rank. `describe` is called on rank 0. Throws, on rank 0,
  /// if the save cannot begin; with a single rank, also if the copy fails, for example for lack of
  /// memory. take_outcomes() tells how a save ended. Throws comm::PeerError.
  void save(std::int64_t step, const StateParts& state,
            const std::function<SaveRequest()>& describe);
  /// As save(), but returns what it would throw, on the ranks that know; nullptr: the save has begun.
  /// Throws comm::PeerError.
  [[nodiscard]] std::exception_ptr try_save(std::int64_t step, const StateParts& state,
                                            const std::function<SaveRequest()>& describe);

  /// Reports of parts that this rank has finished since the last call; "" if there are none. Does
  /// not wait. Rank 0 must get those of all ranks: exchange them at some point of each step.
  [[nodiscard]] std::string take_reports();
  /// Rank 0: takes the reports of all ranks, in their order, and publishes in the background the
  /// checkpoints that they complete.
  void publish(const std::vector<std::string>& reports);

  /// All ranks. Waits until all saves have ended.
  void finish(std::int64_t step);
  /// Waits until this rank's work has ended. Checkpoints that lack a report stay unpublished.
  void wait() { queue_.wait(); }
  /// Rank 0: the outcomes of the saves that have ended since the last call, in order. Does not wait.
  [[nodiscard]] std::vector<io::SaveOutcome> take_outcomes();

 private:
  struct Unpublished;
  [[nodiscard]] bool is_alone() const { return ranks_ == nullptr || ranks_->size() == 1; }
  [[nodiscard]] TensorBytes& next_copy();
  /// The folder of the save, on all ranks; "" if it cannot begin, which rank 0 throws.
  [[nodiscard]] std::string begin(std::int64_t step, const StateParts& state,
                                  const std::function<SaveRequest()>& describe);
  void write(std::int64_t step, const StateParts& state, const std::filesystem::path& folder,
             std::vector<io::NamedBytes> extras);
  void publish_first();
  void collect();

  comm::Communicator* ranks_;
  std::array<TensorBytes, 2> copies_;
  std::size_t next_ = 0;  ///< copy that the next save fills
  /// Of rank 0: the saves that lack a report, in order.
  std::deque<std::unique_ptr<Unpublished>> unpublished_;
  /// What the queue works on, in order: the report of a part, or nullptr for anything else.
  std::deque<std::shared_ptr<std::string>> tasks_;
  std::string reports_;  ///< one line each, to be taken
  std::vector<io::SaveOutcome> outcomes_;
  io::SaveQueue queue_;  ///< last: its thread reads the copies until it is destroyed
};

}  // namespace eflow::trainer
