#include "eflow/core/sequence/messages.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::detail {

void Messages::send(int to, const Tensor& values) {
  outgoing_.emplace_back(to, comm::HostCopy(contiguous(values), true));
}

void Messages::receive(int from, const Shape& shape, DType dtype, const DevicePtr& device) {
  const Tensor values = Tensor::empty(shape, dtype, device);
  received_[from] = values;
  incoming_.emplace_back(from, comm::HostCopy(values, false));
}

void Messages::start() {
  std::vector<comm::Outgoing> sends;
  std::vector<comm::Incoming> receives;
  for (auto& [to, copy] : outgoing_) sends.push_back({to, copy.bytes()});
  for (auto& [from, copy] : incoming_) receives.push_back({from, copy.bytes()});
  pending_ = ranks_->exchange(std::move(sends), std::move(receives), call_);
}

void Messages::finish() {
  pending_.wait();
  for (auto& [from, copy] : incoming_) copy.write_back();
}

Tensor Messages::from(int rank) const {
  const auto found = received_.find(rank);
  return found == received_.end() ? Tensor() : found->second;
}

}  // namespace eflow::detail
