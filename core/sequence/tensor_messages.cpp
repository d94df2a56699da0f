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

void TensorMessages::send(int to, const Tensor& values) {
  sends_.emplace_back(to, contiguous(values));
}

void TensorMessages::receive(int from, const Tensor& values) {
  EFLOW_ASSERT(values.is_contiguous());
  receives_.emplace_back(from, values);
}

void TensorMessages::start() {
  std::vector<Outgoing> sends;
  std::vector<Incoming> receives;
  const DeviceLink* const link = ranks_->device_link();
  const auto& all = sends_.empty() ? receives_ : sends_;
  if (link != nullptr && !all.empty() && link->reaches(all[0].second.device().get())) {
    for (const auto& [to, values] : sends_) sends.push_back({to, memory_of(values)});
    for (const auto& [from, values] : receives_) receives.push_back({from, memory_of(values)});
    pending_ = ranks_->exchange_on_device(std::move(sends), std::move(receives), call_);
    return;
  }
  for (const auto& [to, values] : sends_) {
    const std::pair key(values.data(), values.count());
    const auto copy = host_.sent.try_emplace(key, values, true).first;
    sends.push_back({to, copy->second.bytes()});
  }
  for (const auto& [from, values] : receives_) host_.received.emplace_back(values, false);
  for (std::size_t i = 0; i < receives_.size(); ++i)
    receives.push_back({receives_[i].first, host_.received[i].bytes()});
  pending_ = ranks_->exchange(std::move(sends), std::move(receives), call_);
}

void TensorMessages::finish() {
  pending_.wait();
  for (HostCopy& copy : host_.received) copy.write_back();
}

}  // namespace eflow::comm
