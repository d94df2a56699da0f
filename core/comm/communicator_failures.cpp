// What a communicator says and does when an operation fails: who is missing, where everyone was, and
// word to all others.
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "eflow/core/base/number_text.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/comm/operation.hpp"

namespace eflow::comm {
namespace {

/// The value, kept until the process ends, because messages that are on their way refer to it. Leak
/// checkers find it in the list. Ranks may be threads of this process.
template <class T>
T& keep(T value) {
  static std::mutex mutex;
  static auto& all = *new std::list<T>;
  const std::lock_guard lock(mutex);
  return all.emplace_back(std::move(value));
}

}  // namespace

void Communicator::check(const Pending::State& state, int from, std::size_t bytes,
                         const Header& header) {
  if (header.kind == Header::kFailure) {
    fail(str(name_of(from), " ended: ", header.reason, "; ", name_of(rank_), " was waiting in ",
             quoted(state.call.what, state.call.step)));
  }
  const Call& call = state.call;
  if (header.sequence == state.sequence && header.step == call.step && header.bytes == bytes &&
      std::strncmp(header.what, call.what, sizeof header.what - 1) == 0)
    return;
  fail(str("the ranks called different operations: ", name_of(rank_), " ",
           quoted(call.what, call.step), " (call ", state.sequence, ", expecting ", bytes,
           " bytes), ", name_of(from), " ", quoted(header.what, header.step), " (call ",
           header.sequence, ", sending ", header.bytes, " bytes)"));
}

std::string Communicator::trace_of(int rank) const {
  const std::string& seen = last_seen_[static_cast<std::size_t>(rank)];
  return str(" (last seen in ", seen.empty() ? "no operation" : seen, ")");
}

std::string Communicator::describe_wait(const Pending::State& state, double waited) const {
  using Arrival = Pending::State::Arrival;
  std::string late;
  const auto add = [&](const std::string& one) { late += (late.empty() ? "" : ", ") + one; };
  for (const auto& arrival : state.arrivals) {
    const int from = arrival.message.from;
    if (arrival.stage == Arrival::kHeader) add(name_of(from) + trace_of(from));
    if (arrival.stage == Arrival::kBytes) add(name_of(from) + " (joined, its data is on the way)");
  }
  for (const auto& [to, request] : state.sends) {
    if (late.empty() && !request->done()) add(name_of(to) + trace_of(to) + " to take data");
  }
  if (late.empty())
    late = device_link() != nullptr ? device_link()->name() + " to begin" : "nobody";
  return str(name_of(rank_), " waited ", fixed_text(waited, 1), " s in ",
             quoted(state.call.what, state.call.step), " (call ", state.sequence, ") for ", late);
}

std::vector<int> Communicator::silent_ranks(double seconds) {
  using Seconds = std::chrono::duration<double>;
  struct Answer {
    Header header;
    std::unique_ptr<Request> request;
  };
  auto& answers = keep(std::vector<Answer>(static_cast<std::size_t>(size_)));
  const auto as_bytes = [](Header* header) {
    return std::as_writable_bytes(std::span<Header>(header, 1));
  };
  for (int r = 0; r < size_; ++r) {
    Answer& answer = answers[static_cast<std::size_t>(r)];
    if (r != rank_) answer.request = channel_->receive(r, kHeaderTag, as_bytes(&answer.header));
  }
  const auto start = std::chrono::steady_clock::now();
  for (int polls = 0;; ++polls) {
    std::vector<int> silent;
    for (int r = 0; r < size_; ++r) {
      Request* const request = answers[static_cast<std::size_t>(r)].request.get();
      bool spoke = request == nullptr || request->done();
      for (const auto& state : active_) {  // whose requests were there first
        for (auto& arrival : state->arrivals)
          spoke = spoke || (arrival.message.from == r && arrival.request->done());
      }
      if (!spoke) silent.push_back(r);
    }
    if (silent.empty() || Seconds(std::chrono::steady_clock::now() - start).count() > seconds)
      return silent;
    channel_->rest(polls);
  }
}

void Communicator::check_device() {
  if (whole_ != nullptr) return whole_->check_device();
  const auto failure = link_ ? link_->failure() : std::nullopt;
  if (!failure) return;
  const auto names = [&](const std::vector<int>& ranks) {
    std::string text;
    for (const int r : ranks) text += (text.empty() ? "" : ", ") + name_of(r) + trace_of(r);
    return text;
  };
  const std::string where =
      str(quoted(failure->call.what, failure->call.step), " (call ", failure->sequence, ")");
  std::string text =
      failure->reason.empty()
          ? str(name_of(rank_), " waited ", fixed_text(failure->seconds, 1), " s in ", where,
                " on the device, with data of ", names(failure->peers))
          : str(name_of(rank_), ": ", link_->name(), " failed in ", where, " with data of ",
                names(failure->peers), ": ", failure->reason);
  leave(text);
  const std::vector<int> silent =
      silent_ranks(std::min(kAnswerShare * failure->seconds, kLongestAnswer));
  if (!silent.empty()) text += str("; no answer from ", names(silent));
  fail(text);
}

void Communicator::fail(const std::string& reason) {
  const std::string text = "[ranks] " + reason;
  leave(reason);
  if (on_failure) {
    try {
      on_failure(text + "\nthe last collectives of " + name_of(rank_) + ":\n" + log_.text());
    } catch (const std::exception&) {  // the error itself must reach the caller
    }
  }
  throw PeerError(text);
}

void Communicator::leave(const std::string& reason) noexcept {
  if (failed_ || size_ == 1) return;
  failed_ = true;
  if (link_) link_->abort();
  for (Communicator* part : groups_) part->leave(reason);
  try {
    struct LastMessages {
      Header header;
      std::vector<std::unique_ptr<Request>> sends;
    };
    auto& [header, sends] = keep(LastMessages());
    header.kind = Header::kFailure;
    header.sequence = next_;
    put("failure", header.what);
    put(reason, header.reason);
    for (int to = 0; to < size_; ++to) {
      if (to == rank_) continue;
      sends.push_back(
          channel_->send(to, kHeaderTag, std::as_bytes(std::span<const Header>(&header, 1))));
    }
    for (auto& request : sends) static_cast<void>(request->done());
  } catch (const std::exception&) {  // they will notice at their deadline
  }
}

}  // namespace eflow::comm
