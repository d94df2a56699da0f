// Every message is an ncclSend and an ncclRecv; NCCL adds nothing, because the order of its sums
// depends on algorithm, size and topology. The messages of one operation are one group on a stream
// of the link. Events order it after the device's earlier work and before its later work.
//
// The communicator is non-blocking: a call returns at once, perhaps with ncclInProgress, and no
// other call is made until ncclCommGetAsyncError returns something else. No call is made while the
// device's stream is captured: NCCL may allocate memory, which a capture forbids.

#include "eflow/core/cuda/nccl_link.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "eflow/core/base/number_text.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cuda/nccl_api.hpp"
#include "eflow/jit/cuda/stream.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::comm {
namespace {

namespace nccl = jit::nccl;
using Clock = std::chrono::steady_clock;
using jit::CudaContext;
using jit::CuStream;
using jit::NcclApi;
using jit::NcclComm;

/// Between two looks of the watching thread, and while NCCL is in progress.
constexpr std::chrono::milliseconds kLook{20}, kPoll{1};
/// A longer time between two looks means that the process was stopped: it counts as this much.
constexpr double kLongestGap = 0.25;
/// For the end of a communicator in order.
constexpr std::chrono::seconds kPatience{5};

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

std::optional<NcclApi> find_library(const DevicePtr& device, std::string& why) {
  const jit::Options& options = device->runtime().options();
  return jit::find_nccl(options.nccl, options.nccl_library, why);
}

/// A communicator of NCCL, and the only code that calls it.
class NcclRanks {
 public:
  NcclRanks(const NcclApi& api, const CudaContext& context) : api_(api), context_(context) {}
  ~NcclRanks() { end(); }
  NcclRanks(const NcclRanks&) = delete;
  NcclRanks& operator=(const NcclRanks&) = delete;

  /// Connects the ranks. Returns false if that takes longer than `deadline`. Throws DeviceError.
  bool connect(int rank, int size, const jit::NcclId& id, std::chrono::milliseconds deadline) {
    const CudaContext::Current current(context_);
    jit::NcclConfig config;
    check(api_.comm_init(&comm_, size, id, rank, &config), "ncclCommInitRankConfig");
    const auto start = Clock::now();
    while (!is_settled()) {
      if (Clock::now() - start > deadline) return abort(), false;
      std::this_thread::sleep_for(kPoll);
    }
    return true;
  }

  /// Whether the last call is through. Throws DeviceError if it failed, or another rank did.
  [[nodiscard]] bool is_settled() const {
    int state = nccl::kSuccess;
    check(api_.comm_async_error(comm_, &state), "ncclCommGetAsyncError");
    check(state, "the ranks of NCCL");
    return state != nccl::kInProgress;
  }

  /// Issues messages to the stream as one group. is_settled() says when they are in it.
  void issue(const std::vector<Outgoing>& sends, const std::vector<Incoming>& receives,
             CuStream stream) const {
    check(api_.group_start(), "ncclGroupStart");
    for (const auto& [to, bytes] : sends) {
      if (bytes.empty()) continue;
      check(api_.send(bytes.data(), bytes.size(), nccl::kUint8, to, comm_, stream), "ncclSend");
    }
    for (const auto& [from, bytes] : receives) {
      if (bytes.empty()) continue;
      check(api_.receive(bytes.data(), bytes.size(), nccl::kUint8, from, comm_, stream),
            "ncclRecv");
    }
    check(api_.group_end(), "ncclGroupEnd");
  }

  /// Makes NCCL's kernels return. No other call may follow.
  void abort() noexcept {
    if (const NcclComm comm = std::exchange(comm_, nullptr); comm != nullptr)
      static_cast<void>(api_.comm_abort(comm));
  }
  [[nodiscard]] bool is_aborted() const { return comm_ == nullptr; }

 private:
  void check(int result, const char* what) const {
    if (result == nccl::kSuccess || result == nccl::kInProgress) return;
    const char* const more = comm_ != nullptr ? api_.last_error(comm_) : nullptr;
    throw DeviceError(str("[nccl] ", what, ": ", api_.error_string(result),
                          more != nullptr && *more != '\0' ? str(" (", more, ")") : std::string()));
  }

  /// Ends the communicator in order if the others do so too, and alone otherwise.
  void end() noexcept {
    if (comm_ == nullptr) return;
    if (context_.is_shut_down()) return;
    try {
      const CudaContext::Current current(context_);
      check(api_.comm_finalize(comm_), "ncclCommFinalize");
      const auto start = Clock::now();
      while (!is_settled() && Clock::now() - start < kPatience) std::this_thread::sleep_for(kPoll);
      if (is_settled()) {
        static_cast<void>(api_.comm_destroy(std::exchange(comm_, nullptr)));
        return;
      }
    } catch (const std::exception&) {  // the process ends anyway
    }
    abort();
  }

  NcclApi api_;
  const CudaContext& context_;
  NcclComm comm_ = nullptr;
};

struct Operation {
  Operation(const std::shared_ptr<const CudaContext>& context) : ready(context), done(context) {}
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  DeviceFailure about;  ///< if it fails
  std::chrono::milliseconds deadline{};
  jit::CudaEvent ready;  ///< what it sends has been computed
  jit::CudaEvent done;
  enum { kBegun, kIssued, kQueued } stage = kBegun;
};

class NcclLink final : public DeviceLink {
 public:
  NcclLink(const NcclApi& api, DevicePtr device)
      : device_(std::move(device)),
        context_(device_->runtime().cuda_context()),
        stream_(context_),
        name_(str("NCCL ", api.version())),
        ranks_(api, *context_) {}
  ~NcclLink() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    news_.notify_all();
    if (watcher_.joinable()) watcher_.join();
  }
  NcclLink(const NcclLink&) = delete;
  NcclLink& operator=(const NcclLink&) = delete;

  bool connect(int rank, int size, const jit::NcclId& id, std::chrono::milliseconds deadline) {
    if (!ranks_.connect(rank, size, id, deadline)) return false;
    watcher_ = std::thread([this] { watch(); });
    return true;
  }

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] bool reaches(const void* device) const override { return device == device_.get(); }

  [[nodiscard]] std::unique_ptr<DeviceExchange> exchange(
      std::vector<Outgoing> sends, std::vector<Incoming> receives, const Call& call,
      std::uint64_t sequence, std::chrono::milliseconds deadline) override;

  [[nodiscard]] std::optional<DeviceFailure> failure() const override {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  void abort() noexcept override {
    const std::lock_guard lock(mutex_);
    ranks_.abort();
    watched_.clear();
  }

 private:
  class Exchange;

  bool start(const std::shared_ptr<Operation>& operation) {
    device_->issue_gathered();
    const std::lock_guard lock(mutex_);
    if (operation->stage == Operation::kQueued) return true;
    if (ranks_.is_aborted() || order_.front() != operation) return false;
    try {
      const CudaContext::Current current(*context_);
      if (operation->stage == Operation::kBegun) {
        operation->ready.order_before(stream_.handle(), "messages");
        ranks_.issue(operation->sends, operation->receives, stream_.handle());
        operation->stage = Operation::kIssued;
      }
      if (!ranks_.is_settled()) return false;
      operation->done.record(stream_.handle(), "messages");
    } catch (const DeviceError& error) {
      fail(*operation, 0, error.what());
      return false;
    }
    operation->stage = Operation::kQueued;
    order_.pop_front();
    watched_.push_back({operation, 0});
    return true;
  }

  void join(const Operation& operation) {
    device_->issue_gathered();
    operation.done.order_before(static_cast<CuStream>(device_->stream().handle), "messages");
  }

  /// The caller holds the mutex.
  void fail(const Operation& operation, double seconds, const std::string& reason) {
    failure_ = operation.about;
    failure_->seconds = seconds;
    failure_->reason = reason;
    watched_.clear();  // may be what holds the operation
    ranks_.abort();
  }

  void watch() {
    auto last = Clock::now();
    for (std::unique_lock lock(mutex_); !stopping_; news_.wait_for(lock, kLook)) {
      const auto now = Clock::now();
      const double gap = std::min(seconds_between(std::exchange(last, now), now), kLongestGap);
      if (!watched_.empty()) look(gap);
    }
  }

  /// The first operation in the stream is the only one that can be late.
  void look(double gap) {
    const std::shared_ptr<Operation> first = watched_.front().operation;
    try {
      const CudaContext::Current current(*context_);
      if (first->done.is_done("messages")) return watched_.pop_front();
      static_cast<void>(ranks_.is_settled());  // throws if another rank ended
      if (!first->ready.is_done("messages")) return;
      double& seconds = watched_.front().seconds;
      seconds += gap;
      if (seconds > std::chrono::duration<double>(first->deadline).count())
        fail(*first, seconds, "");
    } catch (const DeviceError& error) {
      fail(*first, watched_.front().seconds, error.what());
    }
  }

  struct Watched {
    std::shared_ptr<Operation> operation;
    double seconds = 0;  ///< in which it could have been done
  };
  DevicePtr device_;
  std::shared_ptr<const CudaContext> context_;
  jit::CudaStream stream_;
  std::string name_;
  mutable std::mutex mutex_;  ///< of all that follows
  NcclRanks ranks_;
  std::deque<std::shared_ptr<Operation>> order_;  ///< begun and not yet in the stream
  std::deque<Watched> watched_;                   ///< in the stream
  std::optional<DeviceFailure> failure_;
  bool stopping_ = false;
  std::condition_variable news_;
  std::thread watcher_;
};

class NcclLink::Exchange final : public DeviceExchange {
 public:
  Exchange(NcclLink* link, std::shared_ptr<Operation> operation)
      : link_(link), operation_(std::move(operation)) {}
  [[nodiscard]] bool start() override { return link_->start(operation_); }
  void join() override { link_->join(*operation_); }

 private:
  NcclLink* link_;
  std::shared_ptr<Operation> operation_;
};

std::unique_ptr<DeviceExchange> NcclLink::exchange(std::vector<Outgoing> sends,
                                                   std::vector<Incoming> receives, const Call& call,
                                                   std::uint64_t sequence,
                                                   std::chrono::milliseconds deadline) {
  auto operation = std::make_shared<Operation>(context_);
  operation->about.call = call;
  operation->about.sequence = sequence;
  operation->deadline = deadline;
  const auto note = [&](int peer) {
    std::vector<int>& peers = operation->about.peers;
    if (std::find(peers.begin(), peers.end(), peer) == peers.end()) peers.push_back(peer);
  };
  for (const Outgoing& send : sends) note(send.to);
  for (const Incoming& receive : receives) note(receive.from);
  operation->sends = std::move(sends);
  operation->receives = std::move(receives);
  device_->issue_gathered();
  operation->ready.record(static_cast<CuStream>(device_->stream().handle), "messages");
  const std::lock_guard lock(mutex_);
  order_.push_back(operation);
  return std::make_unique<Exchange>(this, operation);
}

}  // namespace

std::string why_no_nccl(Communicator* ranks, const DevicePtr& device) {
  std::string mine, why;
  if (device->on_host())
    mine = str("-its device is ", device->name());
  else if (const auto api = find_library(device, why))
    mine = str("+", api->version());
  else
    mine = str("-", why);
  const std::vector<std::string> all = ranks->gather(mine, {"versions of NCCL"});
  for (std::size_t r = 0; r < all.size(); ++r) {
    const std::string name = ranks->name_of(static_cast<int>(r));
    if (all[r][0] == '-') return str(name, ": ", all[r].substr(1));
    if (all[r] != all[0])
      return str(name, " has NCCL ", all[r].substr(1), ", ", ranks->name_of(0), " has ",
                 all[0].substr(1), "; EFLOW_NCCL names a library");
  }
  return "";
}

std::unique_ptr<DeviceLink> connect_nccl(Communicator* ranks, const DevicePtr& device) {
  std::string why;
  const std::optional<NcclApi> api = find_library(device, why);
  if (!api) throw DeviceError(str("[nccl] ", why));
  auto link = std::make_unique<NcclLink>(*api, device);
  jit::NcclId id;
  if (ranks->is_first()) {
    if (const int result = api->get_unique_id(&id); result != nccl::kSuccess)
      throw DeviceError(str("[nccl] ncclGetUniqueId: ", api->error_string(result)));
  }
  ranks->broadcast(std::as_writable_bytes(std::span(id.bytes)), 0, {"NCCL's id"}).wait();
  if (!link->connect(ranks->rank(), ranks->size(), id, ranks->deadline())) {
    throw PeerError(str("[nccl] ", ranks->name_of(ranks->rank()), " waited ",
                        fixed_text(std::chrono::duration<double>(ranks->deadline()).count(), 1),
                        " s for NCCL to connect ", ranks->size(),
                        " ranks; NCCL_DEBUG=INFO prints what it does"));
  }
  return link;
}

}  // namespace eflow::comm
