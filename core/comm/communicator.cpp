// Operations: how they begin, move on and end.
#include "eflow/core/comm/communicator.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "eflow/core/comm/group_channel.hpp"
#include "eflow/core/comm/operation.hpp"

namespace eflow::comm {
namespace {

constexpr std::uint64_t kTags = 16000;  // payload tags, reused in turn
static_assert(1 + kTags <= kGroupTags && kGroupTags + 1 + kTags <= 32768);

int payload_tag(std::uint64_t sequence) {
  return 1 + static_cast<int>(sequence % kTags);
}

/// Longest time between two polls that counts as waiting. A process that was stopped for a while must
/// not conclude that the others are late.
constexpr double kLongestGap = 0.25;
/// A longer gap means that this process was stopped: what it waits for then tells nothing.
constexpr double kSuspended = 1;
/// How long a wait goes on after an interruption before it is reported.
constexpr double kBeforeNote = 0.2;

}  // namespace

void Pending::wait() {
  if (!state_) return;
  communicator_->wait(state_);
  if (state_->device) state_->device->join();
  state_.reset();
}

void Pending::keep(std::shared_ptr<const void> memory) {
  if (state_) state_->memory = std::move(memory);
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

void Communicator::advance() {
  if (active_.empty()) return;
  check_device();
  poll_related();
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

}  // namespace eflow::comm
