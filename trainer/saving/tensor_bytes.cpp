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

DType stored_dtype(DType dtype) {
  return dtype == DType::kF64 ? DType::kF64 : DType::kF32;
}

/// A contiguous tensor with the same values in its stored dtype.
Tensor stored_form(const Tensor& tensor) {
  const DType dtype = stored_dtype(tensor.dtype());
  const Tensor typed = tensor.dtype() == dtype ? tensor : cast(tensor, dtype);
  return contiguous(typed);
}

std::size_t bytes_of(const Tensor& tensor) {
  return static_cast<std::size_t>(tensor.count()) * size_of(tensor.dtype());
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

TensorBytes::TensorBytes(const std::string& prefix, const nn::NamedTensors& tensors) {
  StateParts parts;
  add_state_parts(prefix, tensors, 0, 1, &parts);
  fill(parts);
}

std::vector<io::NamedBytes> arrays_of(const StateParts& parts) {
  std::vector<io::NamedBytes> arrays;
  for (const StatePart& part : parts) {
    arrays.push_back({to_path(part.name), stored_dtype(part.whole.dtype), part.whole.shape, {}});
    arrays.back().first = static_cast<std::uint64_t>(part.first);
  }
  return arrays;
}

void TensorBytes::fill(const StateParts& parts) {
  arrays_ = arrays_of(parts);
  const NoGrad off;
  std::vector<Tensor> sources;  // undefined: nothing to copy
  std::size_t total = 0;
  for (const StatePart& part : parts) {
    sources.push_back(part.values.defined() ? stored_form(part.values) : Tensor());
    if (part.values.defined()) total += bytes_of(sources.back());
  }
  if (total > capacity_) {
    memory_.reset();  // first: both would not always fit
    capacity_ = 0;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(total);
    capacity_ = total;
  }
  std::vector<Copy> copies;
  DevicePtr device;
  std::byte* to = memory_.get();
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!sources[i].defined()) continue;
    const std::size_t bytes = bytes_of(sources[i]);
    arrays_[i].bytes = {to, bytes};
    copies.push_back({to, static_cast<const std::byte*>(sources[i].data()), bytes});
    to += bytes;
    device = sources[i].device();
  }
  if (!device) return;
  if (device->on_host()) {
    copy_all(copies, &device->runtime().pool());
  } else {
    copy_all(copies, device.get());
  }
}

nn::NamedTensors load_tensors(const io::Checkpoint& checkpoint, const std::string& prefix) {
  nn::NamedTensors tensors;
  const std::string start = prefix.empty() ? "" : to_path(prefix);
  for (const io::ArrayInfo& info : checkpoint.arrays()) {
    if (!info.name.starts_with(start)) continue;
    const io::LoadedArray array = checkpoint.load_one(info.name);  // one at a time: memory
    Tensor tensor = Tensor::empty(array.shape, array.dtype);
    tensor.assign_bytes(array.bytes);
    tensors.emplace_back(to_name(array.name).substr(prefix.size()), tensor);
  }
  return tensors;
}

}  // namespace eflow::trainer
