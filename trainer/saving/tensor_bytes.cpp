#include "eflow/trainer/saving/tensor_bytes.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::trainer {
namespace {

/// "ema.head.weight" as the file's path "ema/head.weight", and back.
std::string to_path(std::string name) {
  name.at(name.find('.')) = '/';
  return name;
}
std::string to_name(std::string path) {
  path.at(path.find('/')) = '.';
  return path;
}

DType stored_dtype(const Tensor& tensor) {
  return tensor.dtype() == DType::kF64 ? DType::kF64 : DType::kF32;
}

/// A contiguous tensor with the same values in its stored dtype.
Tensor stored_form(const Tensor& tensor) {
  const Tensor typed =
      tensor.dtype() == stored_dtype(tensor) ? tensor : cast(tensor, stored_dtype(tensor));
  return contiguous(typed);
}

struct Copy {
  std::byte* to;
  const std::byte* from;
  std::size_t bytes;
};

/// Copies host memory with all threads of the pool: one thread does not use the memory's bandwidth.
void copy_all(const std::vector<Copy>& whole, jit::ThreadPool* pool) {
  constexpr std::size_t kPart = std::size_t{1} << 20;
  std::vector<Copy> parts;
  for (const Copy& copy : whole) {
    for (std::size_t at = 0; at < copy.bytes; at += kPart)
      parts.push_back({copy.to + at, copy.from + at, std::min(kPart, copy.bytes - at)});
  }
  const auto work = [](void* context, std::int64_t begin, std::int64_t end, char*) {
    const auto* all = static_cast<const Copy*>(context);
    for (std::int64_t i = begin; i < end; ++i) std::memcpy(all[i].to, all[i].from, all[i].bytes);
  };
  pool->run(static_cast<std::int64_t>(parts.size()), work, parts.data());
}

/// Starts all copies from a device before it waits for them.
void copy_all(const std::vector<Copy>& whole, Device* device) {
  for (const Copy& copy : whole) device->copy_out(copy.to, copy.from, copy.bytes, {});
  device->synchronize({});
}

}  // namespace

void TensorBytes::fill(const std::string& prefix, const nn::NamedTensors& tensors) {
  arrays_.clear();
  if (tensors.empty()) return;
  const NoGrad off;
  std::vector<Tensor> sources;
  std::size_t total = 0;
  for (const auto& [name, tensor] : tensors) {
    sources.push_back(stored_form(tensor));
    total += static_cast<std::size_t>(tensor.count()) * size_of(stored_dtype(tensor));
  }
  if (total > capacity_) {
    memory_.reset();  // first: both would not always fit
    capacity_ = 0;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(total);
    capacity_ = total;
  }
  std::vector<Copy> copies;
  std::byte* to = memory_.get();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& source = sources[i];
    const auto bytes = static_cast<std::size_t>(source.count()) * size_of(source.dtype());
    arrays_.push_back(
        {to_path(prefix + tensors[i].first), source.dtype(), source.shape(), {to, bytes}});
    copies.push_back({to, static_cast<const std::byte*>(source.data()), bytes});
    to += bytes;
  }
  Device& device = *sources.front().device();
  if (device.on_host()) {
    copy_all(copies, &device.runtime().pool());
  } else {
    copy_all(copies, &device);
  }
}

nn::NamedTensors load_tensors(const io::Checkpoint& checkpoint, const std::string& prefix) {
  nn::NamedTensors tensors;
  for (const auto& array : checkpoint.load(prefix.empty() ? "" : to_path(prefix))) {
    Tensor tensor = Tensor::empty(array.shape, array.dtype);
    tensor.assign_bytes(array.bytes);
    tensors.emplace_back(to_name(array.name).substr(prefix.size()), tensor);
  }
  return tensors;
}

}  // namespace eflow::trainer
