#pragma once
// TensorBytes: named tensors as host bytes, the way checkpoints take them.

#include <deque>
#include <string>
#include <vector>

#include "eflow/io/checkpoint.hpp"
#include "eflow/nn/module.hpp"

namespace eflow::trainer {

class TensorBytes {
 public:
  /// Copies the values; names get the prefix, whose part before the first dot becomes a group of the file:
  /// "adamw.m.head.weight" is stored as "adamw/m.head.weight".
  TensorBytes(const std::string& prefix, const nn::NamedTensors& tensors);
  /// Point into this object.
  [[nodiscard]] const std::vector<io::NamedBytes>& arrays() const { return arrays_; }

 private:
  std::deque<std::vector<std::byte>> memory_;
  std::vector<io::NamedBytes> arrays_;
};

/// The tensors of a checkpoint whose names start with `prefix` ("" for all; "ema."), with the prefix taken off.
/// Throws CorruptData.
[[nodiscard]] nn::NamedTensors load_tensors(const io::Checkpoint& checkpoint,
                                            const std::string& prefix);

}  // namespace eflow::trainer
