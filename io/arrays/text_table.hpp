#pragma once
// TextTable: captions and their token embeddings in one .safetensors file, as text encoders write
// them (scripts/python/encode_captions.py). It is an input of packing and the prompts of sampling.
// docs/formats.md specifies the arrays.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/base/export.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/arrays/safetensors.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// An open table. Const calls are thread-safe.
class TextTable {
 public:
  /// Opens a table and checks all of it but the embeddings' values. Throws IoError, CorruptData,
  /// InvalidArgument if the file is no text table.
  explicit TextTable(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const { return file_.path(); }
  /// Number of captions.
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(ends_.size()); }
  /// Width E of an embedding.
  [[nodiscard]] std::int64_t width() const { return width_; }
  /// bf16 if the file has that, otherwise f32, which holds f16 exactly.
  [[nodiscard]] DType dtype() const;
  /// Number of token embeddings of caption i.
  [[nodiscard]] std::int64_t rows(std::int64_t i) const;
  /// The most rows of any caption or named prompt.
  [[nodiscard]] std::int64_t longest() const { return longest_; }
  /// The length that models of this text encoder pad to, if the file says so, otherwise longest().
  [[nodiscard]] std::int64_t max_length() const { return max_length_; }
  [[nodiscard]] const std::string& caption(std::int64_t i) const {
    return captions_.at(static_cast<std::size_t>(i));
  }
  /// The first caption with this text, or nullopt.
  [[nodiscard]] std::optional<std::int64_t> find(const std::string& caption) const;
  /// Reads caption i: rows(i) * width() values.
  [[nodiscard]] std::vector<float> read(std::int64_t i) const;

  /// The captions of each clip, as numbers of captions; empty if the file does not assign them.
  [[nodiscard]] const std::vector<std::vector<std::int64_t>>& clip_captions() const {
    return clips_;
  }

  /// Names of further embeddings: "null" for the empty caption, others for negative prompts.
  [[nodiscard]] std::vector<std::string> prompt_names() const;
  /// Reads a named prompt: rows * width() values.
  [[nodiscard]] std::vector<float> read_prompt(const std::string& name) const;

  /// Hash of the whole file, which is read piece by piece.
  [[nodiscard]] Hash128 hash() const;
  [[nodiscard]] std::string encoder() const { return file_.metadata("encoder"); }
  [[nodiscard]] std::string encoder_hash() const { return file_.metadata("encoder_hash"); }

 private:
  void read_captions();
  void read_clip_captions();

  SafetensorsFile file_;
  std::int64_t width_ = 0, longest_ = 0, max_length_ = 0;
  std::vector<std::int64_t> ends_;
  std::vector<std::string> captions_;
  std::vector<std::vector<std::int64_t>> clips_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
