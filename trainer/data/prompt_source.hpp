#pragma once
// PromptSource: captions with embeddings to sample from: a table of captions (.safetensors) or the
// captions of a packed data set.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/trainer/data/data_info.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Captions in the order of the file or the data set. Not thread-safe.
class PromptSource {
 public:
  /// Opens a table of captions or the folder of a data set, for a model of `info`: embeddings must
  /// have its width and at most its number of tokens; another text encoder gives a warning. Throws
  /// InvalidArgument naming both sides, DataError, IoError, CorruptData.
  PromptSource(const std::filesystem::path& path, const DataInfo& info);
  ~PromptSource();

  [[nodiscard]] std::int64_t size() const;
  [[nodiscard]] const std::string& caption(std::int64_t i) const;
  /// The number of a caption. Throws InvalidArgument if there is none with this text.
  [[nodiscard]] std::int64_t find(const std::string& caption) const;
  /// The clip that a caption belongs to; of a table that assigns no clips, the caption itself.
  [[nodiscard]] std::int64_t clip_of(std::int64_t caption) const;
  /// The contexts [n, L, E] of these captions.
  [[nodiscard]] Tensor contexts(const std::vector<std::int64_t>& captions) const;
  /// The context [L, E] of a named negative prompt or, if no prompt has this name, of the caption.
  /// Throws InvalidArgument listing the names.
  [[nodiscard]] Tensor negative(const std::string& name_or_caption) const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END
