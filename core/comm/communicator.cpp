#include "eflow/core/comm/communicator.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "eflow/core/base/number_text.hpp"
#include "eflow/core/comm/group_channel.hpp"

namespace eflow::comm {
namespace {

constexpr int kHeaderTag = 0;
constexpr std::uint64_t kTags = 16000;  // payload tags, reused in turn
static_assert(1 + kTags <= kGroupTags && kGroupTags + 1 + kTags <= 32768);

int payload_tag(std::uint64_t sequence) {
  return 1 + static_cast<int>(sequence % kTags);
}

/// Copies as much of the text as fits, with a final zero.
template <std::size_t n>
void put(const std::string& text, char (&field)[n]) {
  std::strncpy(field, text.c_str(), n - 1);
}

std::string quoted(const char* what, std::int64_t step) {
  return step > 0 ? str("'", what, "' of step ", step) : str("'", what, "'");
}

/// Longest time between two polls that counts as waiting. A process that was stopped for a while must
/// not conclude that the others are late.
constexpr double kLongestGap = 0.25;
/// A longer gap means that this process was stopped: what it waits for then tells nothing.
constexpr double kSuspended = 1;
/// At the deadline, part of it, and at most this long, in which ranks that wait themselves can
/// answer. Those that stay silent are the ones to name.
constexpr double kAnswerShare = 0.2, kLongestAnswer = 5;
/// How long a wait goes on after an interruption before it is reported.
constexpr double kBeforeNote = 0.2;

}  // namespace

/// Sent before the bytes of each message.
struct Communicator::Header {
  enum Kind : std::int64_t { kCall, kFailure };
  std::int64_t kind = kCall;
  std::uint64_t sequence = 0;
  std::int64_t step = 0;
  std::uint64_t bytes = 0;
  char what[64] = {};
  char reason[512] = {};  ///< of a failure
};

struct Pending::State {
  struct Arrival {
    Incoming message;
    Communicator::Header header;
    std::unique_ptr<Request> request;  ///< of the header, then of the bytes
    enum { kHeader, kBytes, kDone } stage = kHeader;
  };
  std::uint64_t sequence = 0;
  Call call;
  std::vector<Communicator::Header> headers;
  struct Departure {
    int to;
    std::unique_ptr<Request> request;
  };
  std::vector<Departure> sends;
  std::vector<Arrival> arrivals;
  std::unique_ptr<DeviceExchange> device;  ///< carries the bytes, unless the channel does
  bool complete = false;

  /// Whether ranks that have not joined stay silent. The others are taken as arrived; `answer`
  /// becomes what the first of them says.
  bool hear(Communicator::Header* answer) {
    bool silent = false;
    for (Arrival& arrival : arrivals) {
      if (arrival.stage != Arrival::kHeader) continue;
      const bool spoke = arrival.request->done();
      silent = silent || !spoke;
      if (!spoke || arrival.header.kind != Communicator::Header::kFailure) continue;
      if (answer->kind != Communicator::Header::kFailure) *answer = arrival.header;
      arrival.stage = Arrival::kDone;
    }
    return silent;
  }
};

void Pending::wait() {
  if (!state_) return;
  communicator_->wait(state_);
  if (state_->device) state_->device->join();
  state_.reset();
}

Communicator::Communicator() : places_(1), last_seen_(1) {}

Communicator::Communicator(std::unique_ptr<Channel> channel, std::chrono::milliseconds deadline)
    : channel_(std::move(channel)),
      rank_(channel_->rank()),
      size_(channel_->size()),
      deadline_(deadline),
      places_(static_cast<std::size_t>(size_)),
      last_seen_(static_cast<std::size_t>(size_)) {
  places_ = gather(channel_->place(), {"names of the ranks"});
}

Communicator::~Communicator() {
  if (whole_ == nullptr) return;
  if (std::uncaught_exceptions() > 0) leave("an error, which other messages may name");
  whole_->waited_ += waited_;
  whole_->hidden_ += hidden_;
  whole_->group_bytes_ += bytes();
  std::erase(whole_->groups_, this);
}

std::unique_ptr<Communicator> Communicator::group(int first, int count) {
  if (first < 0 || count < 1 || first + count > size_ || rank_ < first || rank_ >= first + count) {
    throw InvalidArgument(str("[ranks] rank ", rank_, " of ", size_, " is not in a group of ",
                              count, " ranks from rank ", first, " on"));
  }
  if (count == 1) return std::make_unique<Communicator>();
  auto part = std::make_unique<Communicator>(
      std::make_unique<GroupChannel>(channel_.get(), first, count), deadline_);
  part->whole_ = this;
  part->on_failure = [this](const std::string& report) {
    if (on_failure) on_failure(report);
  };
  part->interrupted = [this] { return interrupted && interrupted(); };
  part->on_interruption = [this](const std::string& situation) {
    if (on_interruption) on_interruption(situation);
  };
  groups_.push_back(part.get());
  return part;
}

double Communicator::waited_seconds() const {
  double all = waited_;
  for (const Communicator* part : groups_) all += part->waited_seconds();
  return all;
}

std::size_t Communicator::bytes() const {
  std::size_t all = log_.bytes() + group_bytes_;
  for (const Communicator* part : groups_) all += part->bytes();
  return all;
}

double Communicator::hidden_seconds() const {
  double all = hidden_;
  for (const Communicator* part : groups_) all += part->hidden_seconds();
  return all;
}

std::string Communicator::name_of(int rank) const {
  const std::string& place = places_.at(static_cast<std::size_t>(rank));
  const int number = channel_ ? channel_->number(rank) : rank;
  return place.empty() ? str("rank ", number) : str("rank ", number, " (", place, ")");
}

void Communicator::set_device_link(std::unique_ptr<DeviceLink> link) {
  EFLOW_ASSERT(whole_ == nullptr);
  link_ = std::move(link);
}

DeviceLink* Communicator::device_link() const {
  return whole_ != nullptr ? whole_->device_link() : link_.get();
}

Pending Communicator::exchange(std::vector<Outgoing> sends, std::vector<Incoming> receives,
                               const Call& call) {
  return begin(std::move(sends), std::move(receives), call, false);
}

Pending Communicator::exchange_on_device(std::vector<Outgoing> sends,
                                         std::vector<Incoming> receives, const Call& call) {
  EFLOW_ASSERT(size_ == 1 || device_link() != nullptr);
  return begin(std::move(sends), std::move(receives), call, true);
}

Pending Communicator::begin(std::vector<Outgoing> sends, std::vector<Incoming> receives,
                            const Call& call, bool on_device) {
  if (failed_) throw PeerError("[ranks] the communicator failed before");
  if (size_ == 1) return {};
  check_device();
  auto state = std::make_shared<Pending::State>();
  state->sequence = next_++;
  state->call = call;
  std::size_t sent = 0, received = 0;
  state->headers.resize(sends.size());
  for (std::size_t i = 0; i < sends.size(); ++i) {
    const auto& [to, bytes] = sends[i];
    if (to < 0 || to >= size_ || to == rank_)
      throw InvalidArgument(str("[ranks] ", rank_, " of ", size_, " cannot send to ", to));
    Header& header = state->headers[i];
    header.sequence = state->sequence;
    header.step = call.step;
    header.bytes = bytes.size();
    put(call.what, header.what);
    sent += bytes.size();
    const auto first = std::as_bytes(std::span<const Header>(&header, 1));
    state->sends.push_back({to, channel_->send(to, kHeaderTag, first)});
    if (!bytes.empty() && !on_device)
      state->sends.push_back({to, channel_->send(to, payload_tag(state->sequence), bytes)});
  }
  state->arrivals.resize(receives.size());
  for (std::size_t i = 0; i < receives.size(); ++i) {
    auto& arrival = state->arrivals[i];
    arrival.message = receives[i];
    const int from = receives[i].from;
    if (from < 0 || from >= size_ || from == rank_)
      throw InvalidArgument(str("[ranks] ", rank_, " of ", size_, " cannot receive from ", from));
    received += receives[i].bytes.size();
    arrival.request = channel_->receive(
        from, kHeaderTag, std::as_writable_bytes(std::span<Header>(&arrival.header, 1)));
  }
  if (on_device) {
    for (Outgoing& send : sends) send.to = channel_->number(send.to);
    for (Incoming& receive : receives) receive.from = channel_->number(receive.from);
    state->device = device_link()->exchange(std::move(sends), std::move(receives), call,
                                            state->sequence, deadline_);
  }
  log_.begin(state->sequence, call, sent, received);
  if (active_.empty()) alone_since_ = std::chrono::steady_clock::now();
  active_.push_back(state);
  return {this, std::move(state)};
}

bool Communicator::poll(Pending::State* state) {
  for (auto& arrival : state->arrivals) {
    using Arrival = Pending::State::Arrival;
    if (arrival.stage == Arrival::kDone || !arrival.request->done()) continue;
    const auto& [from, bytes] = arrival.message;
    if (arrival.stage == Arrival::kHeader) {
      check(*state, from, bytes.size(), arrival.header);
      last_seen_[static_cast<std::size_t>(from)] = quoted(arrival.header.what, arrival.header.step);
      const bool by_channel = !bytes.empty() && !state->device;
      arrival.stage = by_channel ? Arrival::kBytes : Arrival::kDone;
      if (by_channel)
        arrival.request = channel_->receive(from, payload_tag(state->sequence), bytes);
    } else {
      arrival.stage = Arrival::kDone;
    }
  }
  const bool arrived = std::all_of(state->arrivals.begin(), state->arrivals.end(), [](auto& a) {
    return a.stage == Pending::State::Arrival::kDone;
  });
  const bool left = std::all_of(state->sends.begin(), state->sends.end(),
                                [](auto& departure) { return departure.request->done(); });
  if (!arrived || !left || state->complete) return state->complete;
  state->complete = !state->device || state->device->start();
  if (state->complete) log_.end(state->sequence);
  return state->complete;
}

void Communicator::poll_all() {
  for (const auto& state : active_) poll(state.get());
  std::erase_if(active_, [](const auto& state) { return state->complete; });
}

void Communicator::poll_related() {
  if (whole_ != nullptr && whole_->link_) whole_->poll_all();
  poll_all();
  if (!link_) return;
  for (Communicator* part : groups_) part->poll_all();
}

void Communicator::wait(const std::shared_ptr<Pending::State>& state) {
  using Seconds = std::chrono::duration<double>;
  auto last = std::chrono::steady_clock::now();
  double waited = 0, since_interruption = 0;
  if (!active_.empty()) hidden_ += Seconds(last - alone_since_).count();
  for (int polls = 0;; ++polls) {
    if (failed_) throw PeerError("[ranks] the communicator failed before");
    check_device();
    poll_related();
    const auto now = std::chrono::steady_clock::now();
    const double gap = Seconds(now - std::exchange(last, now)).count();
    waited_ += gap;
    if (state->complete) {
      alone_since_ = now;
      return;
    }
    waited += std::min(gap, kLongestGap);
    if (gap > kSuspended) noted_interruption_ = true;
    if (waited > Seconds(deadline_).count()) {
      leave(describe_wait(*state, waited));  // an answer to all that wait for this rank
      const double patience = std::min(kAnswerShare * waited, kLongestAnswer);
      Header answer;
      for (int n = 0; state->hear(&answer); ++n) {
        if (Seconds(std::chrono::steady_clock::now() - now).count() > patience) break;
        channel_->rest(n);
      }
      const bool all_wait = answer.kind == Header::kFailure && !state->hear(&answer);
      fail(all_wait ? str(answer.reason, "; ", name_of(rank_), " was waiting in ",
                          quoted(state->call.what, state->call.step))
                    : describe_wait(*state, waited));
    }
    if (!noted_interruption_ && interrupted && interrupted()) {
      since_interruption += gap;
      noted_interruption_ = since_interruption > kBeforeNote;
      if (noted_interruption_ && on_interruption)
        on_interruption("[ranks] interrupted: " + describe_wait(*state, waited));
    }
    channel_->rest(polls);
  }
}

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
  auto& answers = *new std::vector<Answer>(static_cast<std::size_t>(size_));  // as in leave()
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
    // The last messages of this rank: its memory must outlive them, so it is never freed.
    auto& sends = *new std::vector<std::unique_ptr<Request>>;
    auto& header = *new Header;
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

Pending Communicator::broadcast(std::span<std::byte> bytes, int root, const Call& call) {
  if (rank_ != root) return exchange({}, {{root, bytes}}, call);
  std::vector<Outgoing> sends;
  for (int to = 0; to < size_; ++to) {
    if (to != rank_) sends.push_back({to, bytes});
  }
  return exchange(std::move(sends), {}, call);
}

Pending Communicator::all_gather(std::span<const std::byte> mine,
                                 const std::vector<std::span<std::byte>>& all, const Call& call) {
  const std::vector<std::span<const std::byte>> to(static_cast<std::size_t>(size_), mine);
  return all_to_all(to, all, call);
}

Pending Communicator::all_to_all(const std::vector<std::span<const std::byte>>& to,
                                 const std::vector<std::span<std::byte>>& from, const Call& call) {
  const auto count = static_cast<std::size_t>(size_), me = static_cast<std::size_t>(rank_);
  if (to.size() != count || from.size() != count || to[me].size() != from[me].size()) {
    throw InvalidArgument(str("[ranks] ", quoted(call.what, call.step),
                              ": expected a part for each of ", size_,
                              " ranks, and the same size for the own one"));
  }
  if (!to[me].empty() && to[me].data() != from[me].data())
    std::memcpy(from[me].data(), to[me].data(), to[me].size());
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  // Rank r begins with its next neighbour, so that not all send to rank 0 first.
  for (int k = 1; k < size_; ++k) {
    const int after = (rank_ + k) % size_, before = (rank_ + size_ - k) % size_;
    sends.push_back({after, to[static_cast<std::size_t>(after)]});
    receives.push_back({before, from[static_cast<std::size_t>(before)]});
  }
  return exchange(std::move(sends), std::move(receives), call);
}

void Communicator::barrier(const Call& call) {
  const std::vector<std::span<std::byte>> nothing(static_cast<std::size_t>(size_));
  all_gather({}, nothing, call).wait();
}

std::vector<std::string> Communicator::gather(const std::string& mine, const Call& call) {
  std::vector<std::uint64_t> sizes(static_cast<std::size_t>(size_));
  std::vector<std::span<std::byte>> parts;
  for (std::uint64_t& size : sizes)
    parts.push_back(std::as_writable_bytes(std::span<std::uint64_t>(&size, 1)));
  const std::uint64_t own = mine.size();
  all_gather(std::as_bytes(std::span<const std::uint64_t>(&own, 1)), parts, call).wait();
  std::vector<std::string> texts;
  for (const std::uint64_t size : sizes) texts.emplace_back(size, '\0');
  parts.clear();
  for (std::string& text : texts)
    parts.push_back(std::as_writable_bytes(std::span<char>(text.data(), text.size())));
  all_gather(std::as_bytes(std::span<const char>(mine.data(), mine.size())), parts, call).wait();
  return texts;
}

std::string Communicator::broadcast(const std::string& text, int root, const Call& call) {
  std::uint64_t size = text.size();
  broadcast(std::as_writable_bytes(std::span<std::uint64_t>(&size, 1)), root, call).wait();
  std::string result = rank_ == root ? text : std::string(size, '\0');
  broadcast(std::as_writable_bytes(std::span<char>(result.data(), result.size())), root, call)
      .wait();
  return result;
}

bool Communicator::any(bool mine, const Call& call) {
  const std::vector<std::string> all = gather(mine ? "1" : "0", call);
  return std::any_of(all.begin(), all.end(), [](const std::string& one) { return one == "1"; });
}

}  // namespace eflow::comm
