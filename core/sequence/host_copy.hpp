#pragma once
// Values of a contiguous tensor as host bytes, for messages between ranks: the tensor's own memory
// where the host can reach it, and a copy elsewhere.

#include <cstddef>
#include <span>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

class HostCopy {
 public:
  /// With `read`, the bytes are the tensor's values; otherwise they are to be filled. Waits for the
  /// device. The tensor must not be written meanwhile, except by write_back().
  HostCopy(const Tensor& tensor, bool read);
  HostCopy(HostCopy&&) noexcept = default;  // bytes() of a copy would be those of the original
  HostCopy& operator=(HostCopy&&) noexcept = default;
  [[nodiscard]] std::span<std::byte> bytes() { return bytes_; }
  /// Stores the bytes in the tensor, if they are a copy. For scratch tensors: a parameter's bf16
  /// copy would not notice that its memory was filled.
  void write_back();

 private:
  Tensor tensor_;
  std::vector<std::byte> copy_;
  std::span<std::byte> bytes_;
};

}  // namespace eflow::comm

EFLOW_EXPORT_END
