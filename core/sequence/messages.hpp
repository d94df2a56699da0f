#pragma once
// Messages: tensors on their way between ranks, as one collective operation. Each message is a
// tensor of its own, row-major.

#include <map>
#include <vector>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/sequence/host_copy.hpp"

namespace eflow::detail {

class Messages {
 public:
  Messages(comm::Communicator* ranks, const comm::Call& call) : ranks_(ranks), call_(call) {}
  /// Adds a message; call these before start(). At most one per rank and direction.
  void send(int to, const Tensor& values);
  void receive(int from, const Shape& shape, DType dtype, const DevicePtr& device);
  /// Sets all of them on their way.
  void start();
  /// Waits. Throws comm::PeerError.
  void finish();
  /// What came from a rank, after finish(), or undefined.
  [[nodiscard]] Tensor from(int rank) const;

 private:
  comm::Communicator* ranks_;
  comm::Call call_;
  std::vector<std::pair<int, comm::HostCopy>> outgoing_, incoming_;
  std::map<int, Tensor> received_;
  comm::Pending pending_;
};

}  // namespace eflow::detail
