#pragma once
// Saves a trainer's state on a thread of its own: training waits for a copy in host memory, not for
// the disk. Two copies alternate, so one save may wait while another is written; training waits at
// the next save after those. The steps that get a checkpoint are thus those of synchronous saving.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/io/checkpoint/save_queue.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/trainer/saving/tensor_bytes.hpp"

namespace eflow::trainer {

/// What a checkpoint holds besides the tensors, and where it goes.
struct SaveRequest {
  std::int64_t step = 0;
  io::CheckpointStore store;
  std::string metadata = {};                ///< JSON
  std::vector<io::NamedBytes> extras = {};  ///< borrowed until the save has ended
  /// Called by the saving thread before it writes; if it throws, the save fails.
  std::function<void()> before = [] {};
};

/// Threads: one thread at a time may call the members.
class BackgroundSaver {
 public:
  /// Copies the tensors and saves the copy in the background. Waits until at most one earlier save
  /// is unfinished. Throws if the copy fails, for example for lack of memory; take_outcomes() tells
  /// how the save ended.
  void save(const nn::NamedTensors& state, SaveRequest request);
  /// Waits until all saves have ended.
  void wait() { queue_.wait(); }
  /// The outcomes of the saves that have ended since the last call, in order. Does not wait.
  [[nodiscard]] std::vector<io::SaveOutcome> take_outcomes() { return queue_.take_outcomes(); }

 private:
  std::array<TensorBytes, 2> copies_;
  std::size_t next_ = 0;  ///< copy that the next save fills
  io::SaveQueue queue_;   ///< last: its thread reads the copies until it is destroyed
};

}  // namespace eflow::trainer
