#pragma once
// Communicator: the collective operations of a training run. Each is asynchronous, carries a label
// (Call), and fails instead of hanging: a rank that does not join within the deadline is named, and
// ranks that call different operations get an error with both labels.
//
// Every rank must start the same operations in the same order. A short header precedes the bytes of
// each message; it holds the label, the position in that order and the size, and is compared first.

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/call.hpp"
#include "eflow/core/comm/call_log.hpp"
#include "eflow/core/comm/channel.hpp"
#include "eflow/core/comm/device_link.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// Another rank ended, does not answer, or called something else. The message names the rank, where
/// it runs, what it did last and what was being waited for.
struct PeerError : Error {
  using Error::Error;
};

class Communicator;

/// An operation on its way. Its memory must stay valid until wait() returned, or be given to keep().
class Pending {
 public:
  Pending() = default;  ///< nothing to wait for
  /// Waits until this rank's part is complete. Throws PeerError.
  void wait();
  /// Holds the operation's memory until this rank's part is complete, even if an error keeps this
  /// rank from waiting for it.
  void keep(std::shared_ptr<const void> memory);

 private:
  friend class Communicator;
  struct State;
  Pending(Communicator* communicator, std::shared_ptr<State> state)
      : communicator_(communicator), state_(std::move(state)) {}
  Communicator* communicator_ = nullptr;
  std::shared_ptr<State> state_;
};

/// Threads: one at a time. Not movable: operations on their way refer to it.
class Communicator {
 public:
  static constexpr std::chrono::milliseconds kDefaultDeadline = std::chrono::minutes(10);

  /// The communicator of a single rank: every operation is complete at once.
  Communicator();
  /// All ranks of the channel must construct theirs together. Throws PeerError.
  explicit Communicator(std::unique_ptr<Channel> channel,
                        std::chrono::milliseconds deadline = kDefaultDeadline);
  /// Ranks that work more closely: the communicator of ranks [first, first + count), of which this
  /// one must be one; all of them must call it. It is independent of this communicator, which must
  /// outlive it, except that errors of a rank reach both, and that times and bytes of the group
  /// count here too. Throws InvalidArgument, PeerError.
  [[nodiscard]] std::unique_ptr<Communicator> group(int first, int count);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool is_first() const { return rank_ == 0; }
  /// How long a wait may last, and its new value.
  [[nodiscard]] std::chrono::milliseconds deadline() const { return deadline_; }
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }
  /// "rank 2 (node7, process 4711)"
  [[nodiscard]] std::string name_of(int rank) const;
  [[nodiscard]] const CallLog& log() const { return log_; }
  /// Seconds that this rank has waited for operations to complete.
  [[nodiscard]] double waited_seconds() const;
  /// Seconds in which operations were on their way while this rank did something else: from the
  /// start of one to the wait for it.
  [[nodiscard]] double hidden_seconds() const;
  /// Bytes that this rank has sent and received.
  [[nodiscard]] std::size_t bytes() const;

  /// Sends and receives messages, at most one per pair and direction: the operation that all others
  /// consist of, and the neighbour exchange of sequence parallelism. Sizes must agree on both sides.
  /// Throws InvalidArgument for a rank out of range.
  [[nodiscard]] Pending exchange(std::vector<Outgoing> sends, std::vector<Incoming> receives,
                                 const Call& call);
  /// The same for memory of the device of device_link(), which must be set: once wait() returned,
  /// later work of the device follows the messages. Headers pass through the channel and are
  /// compared before the device is asked for anything, so a mismatch is an error on the host. Waits
  /// for the other hosts, never for the device.
  [[nodiscard]] Pending exchange_on_device(std::vector<Outgoing> sends,
                                           std::vector<Incoming> receives, const Call& call);
  /// Copies the bytes of rank `root` into those of all others.
  [[nodiscard]] Pending broadcast(std::span<std::byte> bytes, int root, const Call& call);
  /// Copies `mine` into all[rank()] of every rank. all[r] has the size of rank r's `mine`; where
  /// all[rank()] is `mine` itself, nothing is copied.
  [[nodiscard]] Pending all_gather(std::span<const std::byte> mine,
                                   const std::vector<std::span<std::byte>>& all, const Call& call);
  /// Sends to[r] to rank r and receives from[r] from it.
  [[nodiscard]] Pending all_to_all(const std::vector<std::span<const std::byte>>& to,
                                   const std::vector<std::span<std::byte>>& from, const Call& call);
  /// Returns when all ranks have called it.
  void barrier(const Call& call);

  /// The texts of all ranks, in their order.
  [[nodiscard]] std::vector<std::string> gather(const std::string& mine, const Call& call);
  /// Rank `root`'s text.
  [[nodiscard]] std::string broadcast(const std::string& text, int root, const Call& call);
  /// Whether `mine` is true on any rank.
  [[nodiscard]] bool any(bool mine, const Call& call);

  /// Carries messages of device memory, for this communicator and its groups. It must connect all
  /// ranks of this one, which is not a group.
  void set_device_link(std::unique_ptr<DeviceLink> link);
  /// nullptr: messages of device memory must pass through host memory.
  [[nodiscard]] DeviceLink* device_link() const;

  /// Moves on what is on its way, without waiting: for long computations in between, since messages
  /// may need the processor to move. Throws PeerError.
  void advance();

  /// Tells all others that this rank ends, and why; their waits then throw PeerError. Call before
  /// leaving because of an error of this rank alone. Does nothing after a failure of the
  /// communicator itself. Never throws.
  void leave(const std::string& reason) noexcept;
  /// Whether an operation failed; then no further one may be started.
  [[nodiscard]] bool failed() const { return failed_; }
  /// Called once, with the report for people, when an operation fails.
  std::function<void(const std::string& report)> on_failure;
  /// If set: polled while this rank waits. Once it is true and the wait goes on, on_interruption is
  /// called, once, with what is being waited for. A launcher that lost a rank sends the others a
  /// signal, and a second later kills them: they can still say where they were.
  std::function<bool()> interrupted;
  std::function<void(const std::string& situation)> on_interruption;

 private:
  friend class Pending;
  struct Header;
  [[nodiscard]] Pending begin(std::vector<Outgoing> sends, std::vector<Incoming> receives,
                              const Call& call, bool on_device);
  void wait(const std::shared_ptr<Pending::State>& state);
  void poll_all();
  /// Polls the operations of this communicator, its groups, or the one that it is a group of: the
  /// device takes their messages in the order in which they began.
  void poll_related();
  /// Moves the operation on; true once complete.
  bool poll(Pending::State* state);
  void check(const Pending::State& state, int from, std::size_t bytes, const Header& header);
  [[noreturn]] void fail(const std::string& reason);
  /// Throws PeerError if the device link failed, naming the operation and the ranks that do not
  /// answer.
  void check_device();
  /// The ranks from which nothing comes within `seconds`, of all others.
  [[nodiscard]] std::vector<int> silent_ranks(double seconds);
  /// Who is waited for, since when, and what they did last.
  [[nodiscard]] std::string describe_wait(const Pending::State& state, double waited) const;
  /// "(last seen in 'weights' of step 4)"
  [[nodiscard]] std::string trace_of(int rank) const;

  std::unique_ptr<Channel> channel_;
  Communicator* whole_ = nullptr;      ///< of a group
  std::vector<Communicator*> groups_;  ///< that exist
  int rank_ = 0, size_ = 1;
  std::chrono::milliseconds deadline_ = kDefaultDeadline;
  std::uint64_t next_ = 0;  ///< sequence number of the next operation
  std::vector<std::string> places_;
  std::vector<std::string> last_seen_;  ///< of each rank: the last operation that it joined
  std::vector<std::shared_ptr<Pending::State>> active_;
  std::unique_ptr<DeviceLink> link_;
  CallLog log_;
  double waited_ = 0, hidden_ = 0;
  std::size_t group_bytes_ = 0;                             ///< of groups that ended
  std::chrono::steady_clock::time_point alone_since_ = {};  ///< with operations on their way
  bool noted_interruption_ = false;
  bool failed_ = false;
};

}  // namespace eflow::comm

EFLOW_EXPORT_END
