#pragma once
// SaveQueue: runs saves on a thread of its own, one at a time and in the order given, so that the
// caller goes on working. It knows nothing of what a save writes.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// How a save ended.
struct SaveOutcome {
  std::int64_t step = 0;
  std::filesystem::path checkpoint = {};  ///< its folder; empty if the save failed
  std::exception_ptr error = {};          ///< set if the save failed
};

/// Threads: one thread at a time may call the members.
class SaveQueue {
 public:
  /// Writes a checkpoint and returns its folder; may throw.
  using Save = std::function<std::filesystem::path()>;

  SaveQueue() = default;
  /// Waits for all saves.
  ~SaveQueue();
  SaveQueue(const SaveQueue&) = delete;
  SaveQueue& operator=(const SaveQueue&) = delete;

  /// Queues the save of `step`. Where no thread can be started, runs it before it returns.
  void push(std::int64_t step, Save save);
  /// Waits until at most `most` saves are unfinished.
  void wait(std::size_t most = 0);
  /// The outcomes of the saves that have ended since the last call, in order. Does not wait.
  [[nodiscard]] std::vector<SaveOutcome> take_outcomes();

 private:
  struct Entry {
    std::int64_t step;
    Save save;
  };
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> entries_;  ///< unfinished; the first is being saved
  std::vector<SaveOutcome> outcomes_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
