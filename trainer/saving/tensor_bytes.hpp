#pragma once
// Conversion between named tensors and the host bytes that checkpoints store.

#include <deque>
#include <string>
#include <vector>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/nn/layers/module.hpp"

namespace eflow::trainer {

class TensorBytes {
 public:
  /// Copies the tensors to host memory, as f64 or f32. Each name gets `prefix`; its part before the
  /// first dot then becomes a group of the file: "adamw.m.head.weight" -> "adamw/m.head.weight".
  TensorBytes(const std::string& prefix, const nn::NamedTensors& tensors);
  /// Views into this object's memory.
  [[nodiscard]] const std::vector<io::NamedBytes>& arrays() const { return arrays_; }

 private:
  std::deque<std::vector<std::byte>> memory_;  // a deque: growing must not move what arrays_ views
  std::vector<io::NamedBytes> arrays_;
};

/// The tensors of a checkpoint whose names start with `prefix` ("ema."; "" for all), with the
/// prefix removed, on the default device. Throws CorruptData.
[[nodiscard]] nn::NamedTensors load_tensors(const io::Checkpoint& checkpoint,
                                            const std::string& prefix);

}  // namespace eflow::trainer
