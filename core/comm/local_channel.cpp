#include "eflow/core/comm/local_channel.hpp"

#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>

namespace eflow::comm {
namespace {

/// Messages that were sent and not yet received, by sender, receiver and tag. The n-th receive takes
/// the n-th message, in whatever order their owners ask.
class Mailbox {
 public:
  void put(int from, int to, int tag, std::span<const std::byte> bytes) {
    {
      const std::lock_guard lock(mutex_);
      Box& box = boxes_[{from, to, tag}];
      box.messages[box.sent++].assign(bytes.begin(), bytes.end());
    }
    news_.notify_all();
  }

  /// The number of the message that a new receive will take.
  std::uint64_t post(int from, int to, int tag) {
    const std::lock_guard lock(mutex_);
    return boxes_[{from, to, tag}].posted++;
  }

  /// Moves message `number` into `bytes`; false if it has not been sent.
  bool take(int from, int to, int tag, std::uint64_t number, std::span<std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    const auto message = boxes_[{from, to, tag}].messages.extract(number);
    if (message.empty()) return false;
    EFLOW_ASSERT(message.mapped().size() == bytes.size());
    std::memcpy(bytes.data(), message.mapped().data(), bytes.size());
    return true;
  }

  void rest() {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, std::chrono::milliseconds(1));
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  struct Box {
    std::uint64_t sent = 0, posted = 0;
    std::map<std::uint64_t, std::vector<std::byte>> messages;
  };
  std::map<std::tuple<int, int, int>, Box> boxes_;
};

/// A message that was copied.
struct Sent final : Request {
  bool done() override { return true; }
};

class Receiving final : public Request {
 public:
  Receiving(Mailbox* mailbox, int from, int to, int tag, std::span<std::byte> bytes)
      : mailbox_(mailbox),
        from_(from),
        to_(to),
        tag_(tag),
        bytes_(bytes),
        number_(mailbox->post(from, to, tag)) {}
  bool done() override {
    return done_ = done_ || mailbox_->take(from_, to_, tag_, number_, bytes_);
  }

 private:
  Mailbox* mailbox_;
  int from_, to_, tag_;
  std::span<std::byte> bytes_;
  std::uint64_t number_;
  bool done_ = false;
};

class LocalChannel final : public Channel {
 public:
  LocalChannel(Mailbox* mailbox, int rank, int size)
      : mailbox_(mailbox), rank_(rank), size_(size) {}
  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] std::string place() const override { return "a thread of this process"; }
  std::unique_ptr<Request> send(int to, int tag, std::span<const std::byte> bytes) override {
    mailbox_->put(rank_, to, tag, bytes);
    return std::make_unique<Sent>();
  }
  std::unique_ptr<Request> receive(int from, int tag, std::span<std::byte> bytes) override {
    return std::make_unique<Receiving>(mailbox_, from, rank_, tag, bytes);
  }
  void rest(int) override { mailbox_->rest(); }

 private:
  Mailbox* mailbox_;
  int rank_, size_;
};

bool is_peer_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const PeerError&) {
    return true;
  } catch (...) {
    return false;
  }
}

void run_rank(Mailbox* mailbox, int rank, int count, std::chrono::milliseconds deadline,
              const std::function<void(Communicator&)>& body) {
  Communicator communicator(std::make_unique<LocalChannel>(mailbox, rank, count), deadline);
  try {
    body(communicator);
  } catch (const std::exception& error) {
    communicator.leave(error.what());
    throw;
  }
}

}  // namespace

void run_ranks(int count, const std::function<void(Communicator&)>& body,
               std::chrono::milliseconds deadline) {
  if (count < 1) throw InvalidArgument(str("[ranks] expected 1 or more ranks, found ", count));
  if (count == 1) {
    Communicator alone;
    return body(alone);
  }
  Mailbox mailbox;
  std::mutex mutex;
  std::vector<std::exception_ptr> errors;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < count; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        run_rank(&mailbox, rank, count, deadline, body);
      } catch (...) {
        const std::lock_guard lock(mutex);
        errors.push_back(std::current_exception());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (!is_peer_error(error)) std::rethrow_exception(error);
  }
  if (!errors.empty()) std::rethrow_exception(errors.front());
}

}  // namespace eflow::comm
