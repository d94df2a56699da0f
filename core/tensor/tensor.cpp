#include "eflow/core/tensor/tensor.hpp"

#include <cmath>
#include <ostream>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow {
namespace detail {

Storage::Storage(DevicePtr on, std::size_t size)
    : device(std::move(on)), bytes(size), memory(device->allocate(size, {})) {
  device->plan().add(use, bytes);
}
Storage::Storage(DevicePtr on, UploadedMemory upload, std::size_t size)
    : device(std::move(on)), bytes(size), memory(upload.memory), is_uploaded(true) {
  device->plan().add(use, bytes);
}
Storage::Storage(DevicePtr on, void* theirs, std::size_t size, std::function<void()> give)
    : device(std::move(on)), bytes(size), memory(theirs), give_back(std::move(give)) {
  device->plan().add(use, bytes);
}
Storage::~Storage() {
  device->plan().subtract(use, bytes);
  if (give_back) {
    // What was queued may still read it.
    try {
      device->synchronize({});
    } catch (...) {  // reported by the work that failed
    }
    give_back();
    return;
  }
  if (is_uploaded)
    device->release_upload(memory, bytes);
  else
    device->release(memory, bytes, {});
}

std::shared_ptr<TensorNode> make_node(const Shape& shape, const Strides& strides, DType dtype,
                                      std::int64_t offset, std::shared_ptr<Storage> storage) {
  auto node = std::make_shared<TensorNode>();
  node->shape = shape;
  node->strides = strides;
  node->dtype = dtype;
  node->offset = offset;
  node->storage = std::move(storage);
  return node;
}

}  // namespace detail

namespace {

template <class From, class To>
void convert(std::span<const std::byte> bytes, std::vector<To>& out) {
  const auto* p = reinterpret_cast<const From*>(bytes.data());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if constexpr (std::is_same_v<To, bfloat16>) {
      out[i] = bfloat16(static_cast<float>(p[i]));
    } else if constexpr (std::is_same_v<From, bfloat16>) {
      out[i] = static_cast<To>(static_cast<float>(p[i]));
    } else {
      out[i] = static_cast<To>(p[i]);
    }
  }
}

std::size_t byte_count(const Tensor& t) {
  return static_cast<std::size_t>(t.count()) * size_of(t.dtype());
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype, const DevicePtr& device) {
  const auto bytes = static_cast<std::size_t>(element_count(shape)) * size_of(dtype);
  return Tensor(detail::make_node(shape, contiguous_strides(shape), dtype, 0,
                                  std::make_shared<detail::Storage>(device, bytes)));
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, const DevicePtr& device) {
  Tensor t = empty(shape, dtype, device);
  device->fill_zero(t.data(), byte_count(t), {});
  return t;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype, const DevicePtr& device) {
  const Tensor one =
      dtype == DType::kF64 ? from(std::vector<double>{value}, {1}, device)
      : dtype == DType::kBF16
          ? from(std::vector<bfloat16>{bfloat16(static_cast<float>(value))}, {1}, device)
      : dtype == DType::kF32 ? from(std::vector<float>{static_cast<float>(value)}, {1}, device)
      : dtype == DType::kI64
          ? from(std::vector<std::int64_t>{static_cast<std::int64_t>(value)}, {1}, device)
      : dtype == DType::kI32
          ? from(std::vector<std::int32_t>{static_cast<std::int32_t>(value)}, {1}, device)
          : from(std::vector<std::uint8_t>{static_cast<std::uint8_t>(value)}, {1}, device);
  Tensor t = empty(shape, dtype, device);
  Strides zero = shape;
  for (int i = 0; i < zero.rank(); ++i) zero[i] = 0;
  detail::copy_elements(one.view(shape, zero), t);
  return t;
}

Tensor Tensor::from_bytes(const void* values, std::size_t count, const Shape& shape, DType dtype,
                          const DevicePtr& device) {
  if (static_cast<std::int64_t>(count) != element_count(shape)) {
    throw ShapeError(str("[Tensor::from] ", count, " values for shape ", shape, "; expected ",
                         element_count(shape)));
  }
  Tensor t = empty(shape, dtype, device);
  device->copy_in(t.data(), values, byte_count(t), {});
  if (dtype == DType::kI64 && !device->on_host()) {
    const auto* const integers = static_cast<const std::int64_t*>(values);
    t.node()->storage->host_values.assign(integers, integers + count);
  }
  return t;
}

const Shape& Tensor::shape() const {
  EFLOW_ASSERT(defined());
  return node_->shape;
}
const Strides& Tensor::strides() const {
  EFLOW_ASSERT(defined());
  return node_->strides;
}
DType Tensor::dtype() const {
  EFLOW_ASSERT(defined());
  return node_->dtype;
}
const DevicePtr& Tensor::device() const {
  EFLOW_ASSERT(defined());
  return node_->storage->device;
}

bool Tensor::is_contiguous() const {
  std::int64_t step = 1;
  for (int i = rank() - 1; i >= 0; --i) {
    if (size(i) != 1 && strides()[i] != step) return false;
    step *= size(i);
  }
  return true;
}

void* Tensor::data() const {
  EFLOW_ASSERT(defined());
  return static_cast<std::byte*>(node_->storage->memory) +
         static_cast<std::size_t>(node_->offset) * size_of(node_->dtype);
}

Tensor Tensor::view(const Shape& shape, const Strides& strides, std::int64_t offset) const {
  EFLOW_ASSERT(defined() && shape.rank() == strides.rank());
  return Tensor(detail::make_node(shape, strides, dtype(), node_->offset + offset, node_->storage));
}

/// Returns the host copy of an i64 tensor's values if it is still valid, otherwise nullptr.
static const std::vector<std::int64_t>* host_values(const Tensor& t) {
  const detail::Storage& storage = *t.node()->storage;
  const bool whole = t.node()->offset == 0 && t.is_contiguous() && t.dtype() == DType::kI64 &&
                     static_cast<std::size_t>(t.count()) == storage.host_values.size();
  return whole && storage.version == storage.host_version ? &storage.host_values : nullptr;
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  std::vector<T> out(static_cast<std::size_t>(count()));
  if (const auto* const known = host_values(*this)) {
    convert<std::int64_t>(std::as_bytes(std::span(*known)), out);
    return out;
  }
  const NoGrad off;
  const Tensor dense = contiguous(*this);
  std::vector<std::byte> bytes(byte_count(dense));
  device()->copy_out(bytes.data(), dense.data(), bytes.size(), {});
  device()->synchronize({});
  switch (dtype()) {
    case DType::kF32:
      convert<float>(bytes, out);
      break;
    case DType::kF64:
      convert<double>(bytes, out);
      break;
    case DType::kBF16:
      convert<bfloat16>(bytes, out);
      break;
    case DType::kI32:
      convert<std::int32_t>(bytes, out);
      break;
    case DType::kI64:
      convert<std::int64_t>(bytes, out);
      break;
    case DType::kU8:
      convert<std::uint8_t>(bytes, out);
      break;
  }
  return out;
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;
template std::vector<bfloat16> Tensor::to_vector() const;

double Tensor::item() const {
  if (count() != 1) throw ShapeError(str("[item] ", *this, " does not have exactly one element"));
  return to_vector<double>()[0];
}

void Tensor::assign(const Tensor& source) const {
  if (source.shape() != shape()) {
    throw ShapeError(str("[assign] shapes differ: ", source, " to ", *this));
  }
  detail::copy_elements(source, *this);
  detail::mark_written(*this);
}

void Tensor::assign_bytes(std::span<const std::byte> row_major) const {
  if (row_major.size() != byte_count(*this) || !is_contiguous()) {
    throw ShapeError(str("[assign] ", row_major.size(), " bytes for ", *this, "; expected ",
                         byte_count(*this), " and a contiguous tensor"));
  }
  device()->copy_in(data(), row_major.data(), row_major.size(), {});
  detail::mark_written(*this);
}

const Tensor& Tensor::set_requires_grad(bool on) const {
  if (on && !is_floating(dtype())) {
    throw InvalidArgument(
        str("[set_requires_grad] ", *this, " cannot have a gradient: its dtype is not floating"));
  }
  if (node_->maker) {
    throw InvalidArgument(str("[set_requires_grad] ", *this, " was computed by ",
                              node_->maker->name,
                              "; only a leaf can require a gradient (detach() returns one)"));
  }
  node_->is_leaf_with_grad = on;
  return *this;
}

bool Tensor::requires_grad() const {
  return defined() && (node_->is_leaf_with_grad || node_->maker != nullptr);
}
Tensor Tensor::grad() const {
  EFLOW_ASSERT(defined());
  return node_->grad;
}
void Tensor::set_grad(const Tensor& grad) const {
  if (grad.defined() && grad.shape() != shape()) {
    throw ShapeError(str("[set_grad] gradient ", grad, " for ", *this));
  }
  node_->grad = grad;
}
void Tensor::clear_grad() const {
  node_->grad = Tensor();
}

Tensor Tensor::detach() const {
  EFLOW_ASSERT(defined());
  return view(shape(), strides());
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  if (!tensor.defined()) return out << "(undefined)";
  return out << tensor.shape() << ' ' << tensor.dtype();
}

}  // namespace eflow
