#include "eflow/trainer/run/tensor_bytes.hpp"

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

template <class T>
std::vector<std::byte> copy_of(const Tensor& tensor) {
  const std::vector<T> values = tensor.to_vector<T>();
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}

}  // namespace

TensorBytes::TensorBytes(const std::string& prefix, const nn::NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const bool wide = tensor.dtype() == DType::kF64;
    memory_.push_back(wide ? copy_of<double>(tensor) : copy_of<float>(tensor));
    arrays_.push_back(
        {to_path(prefix + name), wide ? DType::kF64 : DType::kF32, tensor.shape(), memory_.back()});
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
