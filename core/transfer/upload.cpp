#include "eflow/core/transfer/upload.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow {

Upload::Upload(const std::vector<float>& values, const Shape& shape, const DevicePtr& device) {
  if (static_cast<std::int64_t>(values.size()) != element_count(shape)) {
    throw ShapeError(str("[Upload] ", values.size(), " values for shape ", shape, "; expected ",
                         element_count(shape)));
  }
  const std::size_t bytes = values.size() * sizeof(float);
  if (bytes == 0) {
    tensor_ = Tensor::empty(shape, DType::kF32, device);
    return;
  }
  const detail::UploadedMemory memory{device->begin_upload(values.data(), bytes)};
  tensor_ = Tensor(detail::make_node(shape, contiguous_strides(shape), DType::kF32, 0,
                                     std::make_shared<detail::Storage>(device, memory, bytes)));
}

Tensor Upload::wait() const {
  if (tensor_.count() > 0) tensor_.device()->await_upload(tensor_.data());
  return tensor_;
}

}  // namespace eflow
