#include "eflow/trainer/saving/run_saves.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "eflow/core/base/log.hpp"

namespace eflow::trainer {
namespace {

/// Failures in a row that end the run.
constexpr int kAttempts = 3;

std::string text_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an unknown error";
  }
}

void warn(std::int64_t step, const std::exception_ptr& error) {
  log_warning("[run] could not save step ", step, ": ", text_of(error));
}

}  // namespace

RunSaves::RunSaves(comm::Communicator* ranks, std::int64_t every)
    : ranks_(*ranks), pause_(std::max<std::int64_t>(1, every / 10)), saver_(ranks) {}

void RunSaves::start_from(const io::Checkpoint& checkpoint) {
  last_checkpoint_ = checkpoint.path();
  last_step_ = checkpoint.step();
}

std::string RunSaves::last_name() const {
  return last_checkpoint_.empty() ? "none" : last_checkpoint_.string();
}

void RunSaves::save(std::int64_t step, const StateParts& state, bool waits,
                    const Describe& describe) {
  attempt(step, state, waits, describe, "");
}

void RunSaves::save_at_end(std::int64_t step, const StateParts& state, const Describe& describe) {
  while (true) {
    attempt(step, state, true, describe, "trying again");
    const bool is_saved = ranks_.is_first() && last_step_ == step;
    if (ranks_.any(is_saved, {"whether the end is saved", step})) return;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

void RunSaves::attempt(std::int64_t step, const StateParts& state, bool waits,
                       const Describe& describe, const std::string& next) {
  retry_ = 0;
  const auto problem = saver_.try_save(step, state, [&] {
    begun_.insert(step);
    return describe();
  });
  if (problem) note_failure(step, step, problem, next);
  if (waits) saver_.finish(step);
  note(step, next);
}

void RunSaves::note(std::int64_t step, const std::string& next) {
  for (const io::SaveOutcome& outcome : saver_.take_outcomes()) {
    if (outcome.error) {
      note_failure(outcome.step, step, outcome.error, next);
    } else {
      note_success(outcome);
      failures_ = 0;
      retry_ = 0;
    }
  }
}

void RunSaves::note_success(const io::SaveOutcome& outcome) {
  last_checkpoint_ = outcome.checkpoint;
  last_step_ = outcome.step;
}

void RunSaves::note_failure(std::int64_t step, std::int64_t now, const std::exception_ptr& error,
                            const std::string& next) {
  begun_.erase(step);
  if (++failures_ >= kAttempts) std::rethrow_exception(error);
  retry_ = now + pause_;
  log_warning("[run] could not save step ", step, ": ", text_of(error), "; ",
              next.empty() ? str("the run goes on and tries again after step ", retry_) : next);
}

void RunSaves::finish(std::int64_t step) {
  saver_.finish(step);
  note_at_error();
}

void RunSaves::finish_alone() {
  saver_.wait();
  note_at_error();
}

void RunSaves::note_at_error() {
  for (const io::SaveOutcome& outcome : saver_.take_outcomes()) {
    if (outcome.error) {
      warn(outcome.step, outcome.error);
    } else {
      note_success(outcome);
    }
  }
}

void RunSaves::save_before_error(std::int64_t step, const StateParts& state,
                                 const Describe& describe) {
  if (const auto problem = saver_.try_save(step, state, describe)) warn(step, problem);
  finish(step);
}

}  // namespace eflow::trainer
