#pragma once
// TensorMessages: tensors on their way between ranks, as one collective operation. They go from
// device to device where the communicator has a link that reaches the device, and through host
// memory elsewhere.

#include <cstdint>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/sequence/host_copy.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// Whether messages of this tensor's device go from device to device.
[[nodiscard]] bool has_link(const Communicator& ranks, const Tensor& tensor);

/// All tensors of one object are on one device. It may be destroyed at any time: tensors that are on
/// their way live on.
class TensorMessages {
 public:
  TensorMessages(Communicator* ranks, const Call& call) : ranks_(ranks), call_(call) {}
  /// Adds a message; call these before start(). At most one per rank and direction. The receiver's
  /// tensor has as many bytes; their order is row-major.
  void send(int to, const Tensor& values);
  /// `values` is contiguous, must not be read before finish(), and is a scratch tensor: a parameter's
  /// bf16 copy would not notice that its memory was filled.
  void receive(int from, const Tensor& values);
  /// Sets all of them on their way. Throws PeerError.
  void start();
  /// Waits; on a device, later work of the device follows the messages. Throws PeerError.
  void finish();

 private:
  struct Memory {
    std::vector<std::pair<int, Tensor>> sends, receives;
    /// Of messages through host memory: those from one tensor share a copy, by address and count.
    std::map<std::pair<const void*, std::int64_t>, HostCopy> sent_by_host;
    std::vector<HostCopy> received_by_host;
  };
  Communicator* ranks_;
  Call call_;
  std::shared_ptr<Memory> memory_ = std::make_shared<Memory>();
  Pending pending_;
};

}  // namespace eflow::comm

EFLOW_EXPORT_END
