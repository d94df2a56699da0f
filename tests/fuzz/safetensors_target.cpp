// .safetensors files, and tables of captions in them.
#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/arrays/text_table.hpp"
#include "eflow/tests/fuzz/fuzz.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  const std::vector<float> embeddings(12, 0.5f), null(2);
  const std::vector<std::int64_t> ends = {2, 3, 6}, caption_ends = {1, 3, 6}, clips = {0, -1, 2, 1};
  const std::string captions = "abbccc";
  const auto bytes = [](const auto& values) {
    return std::as_bytes(std::span(values.data(), values.size()));
  };
  return {io::encode_safetensors({{"embeddings", "F32", {6, 2}, bytes(embeddings)},
                                  {"ends", "I64", {3}, bytes(ends)},
                                  {"captions", "U8", {6}, bytes(captions)},
                                  {"caption_ends", "I64", {3}, bytes(caption_ends)},
                                  {"clip_captions", "I64", {2, 2}, bytes(clips)},
                                  {"null", "F32", {1, 2}, bytes(null)}},
                                 {{"encoder", "E"}, {"max_length", "8"}})};
}

void run(std::string_view input) {
  const MemoryFile file(input);
  const io::SafetensorsFile arrays(file.path());
  for (const auto& [name, array] : arrays.arrays()) {
    std::vector<std::byte> all(array.bytes);
    arrays.read(array, 0, all);
  }
  const io::TextTable table(file.path());
  for (std::int64_t i = 0; i < table.size(); ++i) static_cast<void>(table.read(i));
  for (const std::string& name : table.prompt_names()) static_cast<void>(table.read_prompt(name));
}

}  // namespace eflow::fuzz
