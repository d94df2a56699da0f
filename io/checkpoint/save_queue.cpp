#include "eflow/io/checkpoint/save_queue.hpp"

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

namespace eflow::io {
namespace {

SaveOutcome outcome_of(std::int64_t step, const SaveQueue::Save& save) {
  try {
    return {step, save(), nullptr};
  } catch (...) {
    return {step, {}, std::current_exception()};
  }
}

/// Blocks all signals: a new thread inherits that, and its owner's thread keeps handling them.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

SaveQueue::~SaveQueue() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void SaveQueue::push(std::int64_t step, Save save) {
  if (!thread_.joinable()) {
    try {
      const BlockedSignals blocked;
      thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {  // a limit on threads
      outcomes_.push_back(outcome_of(step, save));
      return;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    entries_.push_back({step, std::move(save)});
  }
  changed_.notify_all();
}

void SaveQueue::wait(std::size_t most) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return entries_.size() <= most; });
}

std::vector<SaveOutcome> SaveQueue::take_outcomes() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcomes_, {});
}

void SaveQueue::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return ends_ || !entries_.empty(); });
    if (entries_.empty()) return;
    const Entry& first = entries_.front();  // push() leaves it where it is
    lock.unlock();
    SaveOutcome outcome = outcome_of(first.step, first.save);
    lock.lock();
    outcomes_.push_back(std::move(outcome));
    entries_.pop_front();
    changed_.notify_all();
  }
}

}  // namespace eflow::io
