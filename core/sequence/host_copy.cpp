#include "eflow/core/sequence/host_copy.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"

namespace eflow::comm {

HostCopy::HostCopy(const Tensor& tensor, bool read) : tensor_(tensor) {
  EFLOW_ASSERT(tensor.is_contiguous());
  Device& device = *tensor.device();
  const std::size_t size = static_cast<std::size_t>(tensor.count()) * size_of(tensor.dtype());
  if (device.on_host()) {
    bytes_ = {static_cast<std::byte*>(tensor.data()), size};
    return;
  }
  copy_.resize(size);
  bytes_ = copy_;
  if (!read || size == 0) return;
  device.copy_out(copy_.data(), tensor.data(), size, {});
  device.synchronize({});
}

void HostCopy::write_back() {
  if (!copy_.empty()) tensor_.assign_bytes(copy_);
}

}  // namespace eflow::comm
