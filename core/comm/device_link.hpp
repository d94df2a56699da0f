#pragma once
// DeviceLink: carries messages of device memory between ranks without a detour through host memory.
// A Communicator uses one where it is set; core/cuda/nccl_link.hpp implements it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/call.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

struct Outgoing {
  int to = 0;
  std::span<const std::byte> bytes = {};
};
struct Incoming {
  int from = 0;
  std::span<std::byte> bytes = {};
};

/// Some messages of device memory, as one operation.
class DeviceExchange {
 public:
  virtual ~DeviceExchange() = default;
  /// Moves the operation on: hands the messages to the device once all ranks have joined and earlier
  /// operations of the link have been handed over. Returns whether it is in the device's queue.
  /// Never blocks. Throws DeviceError.
  [[nodiscard]] virtual bool start() = 0;
  /// Makes later work of the device wait for the messages. Throws DeviceError.
  virtual void join() = 0;
};

/// An operation that the device did not finish.
struct DeviceFailure {
  Call call = {};
  std::uint64_t sequence = 0;   ///< number of the call
  std::vector<int> peers = {};  ///< whose messages it sends or receives
  double seconds = 0;           ///< that the device spent in it
  std::string reason = "";      ///< of an error; "" if it was late
};

/// One rank's end. Ranks are those of all of the job. A failure ends the link for good. Threads: one
/// at a time.
class DeviceLink {
 public:
  virtual ~DeviceLink() = default;
  /// "NCCL 2.28.9"
  [[nodiscard]] virtual std::string name() const = 0;
  /// Whether the link can reach memory of this device (Tensor::device()).
  [[nodiscard]] virtual bool reaches(const void* device) const = 0;
  /// Begins an exchange: what it sends is the result of the work issued to the device so far. The
  /// memory must stay valid until join() returned. Operations must begin in the same order on all
  /// ranks. The device must finish within `deadline`, or the link fails. Throws DeviceError.
  [[nodiscard]] virtual std::unique_ptr<DeviceExchange> exchange(
      std::vector<Outgoing> sends, std::vector<Incoming> receives, const Call& call,
      std::uint64_t sequence, std::chrono::milliseconds deadline) = 0;
  /// The failure, once there is one: the device's queue has been freed, and what it computes is
  /// undefined.
  [[nodiscard]] virtual std::optional<DeviceFailure> failure() const = 0;
  /// Ends all operations, so that the device's queue is free. Idempotent.
  virtual void abort() noexcept = 0;
};

}  // namespace eflow::comm

EFLOW_EXPORT_END
