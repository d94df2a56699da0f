#pragma once
// Conversion between named tensors and the host bytes that checkpoints store.

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/nn/layers/module.hpp"
#include "eflow/trainer/ranks/state_part.hpp"

namespace eflow::trainer {

/// A copy of tensors in host memory, as f64 or f32. Filling it again reuses its memory, whose first
/// pages cost more than the copy.
class TensorBytes {
 public:
  TensorBytes() = default;
  /// Of whole tensors, whose names get `prefix`.
  TensorBytes(const std::string& prefix, const nn::NamedTensors& tensors);
  TensorBytes(const TensorBytes&) = delete;
  TensorBytes& operator=(const TensorBytes&) = delete;

  /// Replaces the content by a copy of the tensors. The part of a name before the first dot becomes a
  /// group of the file: "adamw.m.head.weight" -> "adamw/m.head.weight".
  void fill(const StateParts& parts);
  /// Views into this object's memory, valid until the next fill().
  [[nodiscard]] const std::vector<io::NamedBytes>& arrays() const { return arrays_; }

 private:
  std::unique_ptr<std::byte[]> memory_;  ///< not a vector, which would be zeroed
  std::size_t capacity_ = 0;
  std::vector<io::NamedBytes> arrays_;
};

/// The arrays that fill() makes of these parts, without their bytes.
[[nodiscard]] std::vector<io::NamedBytes> arrays_of(const StateParts& parts);

/// The tensors of a checkpoint whose names start with `prefix` ("ema."; "" for all), with the
/// prefix removed, on the default device. Throws CorruptData.
[[nodiscard]] nn::NamedTensors load_tensors(const io::Checkpoint& checkpoint,
                                            const std::string& prefix);

}  // namespace eflow::trainer
