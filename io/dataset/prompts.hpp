#pragma once
// Prompts: embeddings that belong to a whole data set: that of the empty caption, the null condition
// of training and guidance, and those of negative prompts. Stored in prompts.safetensors beside the
// manifest, which has its hash.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/shard/manifest.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// One named embedding.
struct Prompt {
  std::string name{};           ///< kNullPrompt, or the name of a negative prompt
  std::vector<float> values{};  ///< rows * E token embeddings
};
using Prompts = std::vector<Prompt>;

/// The name of the empty caption's embedding.
inline constexpr const char* kNullPrompt = "null";

/// The prompt with this name, or null.
[[nodiscard]] const Prompt* find_prompt(const Prompts& prompts, const std::string& name);

/// The content of prompts.safetensors. Throws InvalidArgument for an empty or repeated name, or
/// values that are not rows of `width`.
[[nodiscard]] std::string encode_prompts(const Prompts& prompts, std::int64_t width);
/// Hash of that content.
[[nodiscard]] Hash128 hash_of_prompts(const std::string& content);
/// Whether the folder holds prompts with this hash. Throws IoError.
[[nodiscard]] bool has_prompts(const std::filesystem::path& directory, const Hash128& hash);
/// Reads the prompts of a data set; none if its spec has none. Throws CorruptData if the file is
/// missing or has another hash; IoError.
[[nodiscard]] Prompts read_prompts(const std::filesystem::path& directory, const DatasetSpec& spec);

}  // namespace eflow::io

EFLOW_EXPORT_END
