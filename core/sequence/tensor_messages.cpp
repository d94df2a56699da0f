#include "eflow/core/sequence/tensor_messages.hpp"

#include "eflow/core/tensor/ops.hpp"

namespace eflow::comm {
namespace {

/// The memory of a tensor, on whatever device.
std::span<std::byte> memory_of(const Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data()),
          static_cast<std::size_t>(tensor.count()) * size_of(tensor.dtype())};
}

}  // namespace

bool has_link(const Communicator& ranks, const Tensor& tensor) {
  const DeviceLink* const link = ranks.device_link();
  return link != nullptr && link->reaches(tensor.device().get());
}

void TensorMessages::send(int to, const Tensor& values) {
  memory_->sends.emplace_back(to, contiguous(values));
}

void TensorMessages::receive(int from, const Tensor& values) {
  EFLOW_ASSERT(values.is_contiguous());
  memory_->receives.emplace_back(from, values);
}

void TensorMessages::start() {
  auto& [all_sent, all_received, sent_by_host, received_by_host] = *memory_;
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  const auto& all = all_sent.empty() ? all_received : all_sent;
  if (!all.empty() && has_link(*ranks_, all[0].second)) {
    for (const auto& [to, values] : all_sent) sends.push_back({to, memory_of(values)});
    for (const auto& [from, values] : all_received) receives.push_back({from, memory_of(values)});
    pending_ = ranks_->exchange_on_device(std::move(sends), std::move(receives), call_);
  } else {
    for (const auto& [to, values] : all_sent) {
      const std::pair key(values.data(), values.count());
      const auto copy = sent_by_host.try_emplace(key, values, true).first;
      sends.push_back({to, copy->second.bytes()});
    }
    for (const auto& [from, values] : all_received) received_by_host.emplace_back(values, false);
    for (std::size_t i = 0; i < all_received.size(); ++i)
      receives.push_back({all_received[i].first, received_by_host[i].bytes()});
    pending_ = ranks_->exchange(std::move(sends), std::move(receives), call_);
  }
  pending_.keep(memory_);
}

void TensorMessages::finish() {
  pending_.wait();
  for (HostCopy& copy : memory_->received_by_host) copy.write_back();
}

}  // namespace eflow::comm
