#include "eflow/io/dataset/prompts.hpp"

#include <algorithm>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/arrays/safetensors.hpp"

namespace eflow::io {
namespace {

constexpr std::uint64_t kMaxBytes = 256 << 20;

}  // namespace

const Prompt* find_prompt(const Prompts& prompts, const std::string& name) {
  const auto found = std::find_if(prompts.begin(), prompts.end(),
                                  [&](const Prompt& prompt) { return prompt.name == name; });
  return found == prompts.end() ? nullptr : &*found;
}

std::string encode_prompts(const Prompts& prompts, std::int64_t width) {
  std::vector<ArrayToStore> arrays;
  for (const Prompt& prompt : prompts) {
    const auto count = static_cast<std::int64_t>(prompt.values.size());
    if (prompt.name.empty() || count == 0 || count % width != 0) {
      throw InvalidArgument(str("[dataset] prompt \"", prompt.name, "\" has ", count,
                                " values; expected a name, and rows of width ", width));
    }
    arrays.push_back(
        {prompt.name, "F32", {count / width, width}, std::as_bytes(std::span(prompt.values))});
  }
  return encode_safetensors(arrays);
}

Hash128 hash_of_prompts(const std::string& content) {
  return hash128(std::as_bytes(std::span(content.data(), content.size())));
}

bool has_prompts(const std::filesystem::path& directory, const Hash128& hash) {
  const std::filesystem::path path = directory / kPromptsName;
  return std::filesystem::exists(path) && hash_of_prompts(read_file(path, kMaxBytes)) == hash;
}

Prompts read_prompts(const std::filesystem::path& directory, const DatasetSpec& spec) {
  if (!spec.text || !spec.text->prompts_hash) return {};
  const std::filesystem::path path = directory / kPromptsName;
  if (!has_prompts(directory, *spec.text->prompts_hash)) {
    throw CorruptData(str("[dataset] ", path.string(),
                          " is missing, or its hash is not the manifest's ",
                          to_hex(*spec.text->prompts_hash), "; pack the data set again"));
  }
  const SafetensorsFile file(path);
  Prompts prompts;
  for (const auto& [name, array] : file.arrays()) {
    Prompt prompt{name, std::vector<float>(static_cast<std::size_t>(element_count(array.shape)))};
    file.read_floats(name, 0, prompt.values);
    if (array.shape.rank() != 2 || array.shape[1] != spec.text->width)
      throw CorruptData(str("[dataset] ", path.string(), ": \"", name, "\" is ", array.shape,
                            "; expected rows of width ", spec.text->width));
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

}  // namespace eflow::io
