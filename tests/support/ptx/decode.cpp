// From an opcode's words to the function that executes it.
#include <optional>

#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

/// "u32", "pred", ...: of an opcode's words.
std::optional<Type> type_of(const std::string& word) {
  if (word == "pred") return Type{'p', 1};
  if (word == "bf16x2") return Type{'x', 32};
  if (word == "f16x2") return Type{'y', 32};
  if (word == "bf16" || word == "tf32") return Type{word[0] == 'b' ? 'h' : 't', 16};
  if (word.size() < 2 || word.find_first_of("usbf") != 0) return std::nullopt;
  for (const int bits : {8, 16, 32, 64}) {
    if (word.substr(1) == std::to_string(bits)) return Type{word[0], bits};
  }
  return std::nullopt;
}

}  // namespace

void decode(Instruction& in) {
  const std::string name = in.words[0];
  std::vector<std::string> words;
  for (std::size_t i = 1; i < in.words.size(); ++i) {
    if (const std::optional<Type> type = type_of(in.words[i])) {
      in.from = in.type;
      in.type = *type;
    } else {
      words.push_back(in.words[i]);
    }
  }
  for (const auto decoder : {decode_arithmetic, decode_logic, decode_conversion, decode_memory,
                             decode_warp, decode_hopper}) {
    std::vector<std::string> left = words;
    const Run run = decoder(in, name, left);
    if (run != nullptr && left.empty()) {  // a word that is not understood makes it unknown
      in.run = run;
      return;
    }
  }
}

}  // namespace eflow::ptx
