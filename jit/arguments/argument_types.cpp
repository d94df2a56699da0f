#include "eflow/jit/arguments/argument_types.hpp"

#include <charconv>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

using namespace eflow_text;

constexpr std::string_view kMark = "EFLWARGS";
/// What NVRTC calls them in PTX.
constexpr std::string_view kVariable = " eflow_argument_types[";

constexpr const char* kNames[] = {"void", "bool", "i8",  "u8",  "i16",  "u16", "i32",  "u32",
                                  "i64",  "u64",  "f32", "f64", "bf16", "f16", "e4m3", "e5m2"};

bool is_known(const ArgumentTypes& types) {
  return types.count <= ArgumentTypes::kMost;
}

std::string name_of_code(unsigned char code) {
  if (code == kStructCode) return "struct";
  const bool pointer = (code & kPointerCode) != 0;
  const unsigned target = code & 31u;
  const char* name = target < std::size(kNames) ? kNames[target] : "?";
  if (!pointer) return target == kAnyCode ? "another type" : name;
  return str((code & kConstCode) != 0 ? "const " : "", name, "*");
}

bool fits(unsigned char text, unsigned char launch) {
  if (text == launch) return true;
  if (text == kStructCode || launch == kStructCode || (text & launch & kPointerCode) == 0)
    return false;
  if ((launch & kConstCode) != 0 && (text & kConstCode) == 0) return false;
  const int takes = text & 31, given = launch & 31;
  return takes == given || takes == kAnyCode || given == kAnyCode;
}

ArgumentTypes from_bytes(std::string_view bytes) {
  ArgumentTypes out = kUnknownArguments;
  if (bytes.size() >= sizeof out) std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

/// ".global .align 1 .b8 eflow_argument_types[57] = {69, 70, ...};". Zeros at the end may be left out.
std::string bytes_in_ptx(std::string_view ptx) {
  const std::size_t begin = ptx.find('{', ptx.find(kVariable));
  if (ptx.find(kVariable) == ptx.npos || begin == ptx.npos) return "";
  std::string out;
  for (const char* at = ptx.data() + begin + 1; out.size() < sizeof(ArgumentTypes);) {
    int byte = 0;
    const auto [end, code] = std::from_chars(at, ptx.data() + ptx.size(), byte);
    if (code != std::errc()) break;
    out.push_back(static_cast<char>(byte));
    for (at = end; at < ptx.data() + ptx.size() && (*at == ',' || *at == ' '); ++at) {
    }
  }
  out.resize(sizeof(ArgumentTypes));
  return out;
}

}  // namespace

std::string to_string(const ArgumentTypes& types) {
  if (!is_known(types)) return "unknown";
  std::string out = "(";
  for (int i = 0; i < types.count; ++i) out += str(i == 0 ? "" : ", ", name_of_code(types.code[i]));
  return out + ")";
}

bool accepts(const ArgumentTypes& text, const ArgumentTypes& launch) noexcept {
  if (!is_known(text) || !is_known(launch)) return true;
  if (text.count != launch.count) return false;
  if (std::memcmp(text.code, launch.code, text.count) == 0) return true;
  for (int i = 0; i < text.count; ++i) {
    if (!fits(text.code[i], launch.code[i])) return false;
  }
  return true;
}

std::string difference_of(const ArgumentTypes& text, const ArgumentTypes& launch) {
  int i = 0;
  while (i < std::min(text.count, launch.count) && fits(text.code[i], launch.code[i])) ++i;
  const auto at = [&](const ArgumentTypes& types) {
    return i < types.count ? name_of_code(types.code[i]) : std::string("missing");
  };
  return str("argument ", i + 1, " is ", at(text), " in the text and ", at(launch),
             " in the launch; the text takes ", to_string(text), ", the launch passes ",
             to_string(launch));
}

ArgumentTypes argument_types_of(std::string_view image) {
  if (const std::size_t at = image.find(kMark); at != image.npos)
    return from_bytes(image.substr(at));
  return from_bytes(bytes_in_ptx(image));
}

}  // namespace eflow::jit
