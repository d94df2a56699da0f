// What an instruction costs on an H100, by its opcode: issue slots, units, latency.
#include <algorithm>

#include "eflow/tests/support/ptx/profile.hpp"

namespace eflow::ptx {
namespace {

bool has(const Instruction& in, const char* word) {
  return std::find(in.words.begin() + 1, in.words.end(), word) != in.words.end();
}

bool is_one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [&](const char* n) { return name == n; });
}

constexpr int kShuffleLatency = 24, kProductLatency = 33, kSharedLatency = 30, kSpecialLatency = 20;

/// Integer arithmetic in 64 bits takes several instructions, a division a routine.
double integer_slots(const std::string& name, int bits) {
  const bool wide = bits == 64;
  if (is_one_of(name, {"div", "rem"})) return wide ? 80 : 20;
  if (is_one_of(name, {"mul", "mad"})) return wide ? 4 : 1;
  if (is_one_of(name,
                {"add", "sub", "setp", "selp", "min", "max", "and", "or", "xor", "shl", "shr"}))
    return wide ? 2 : 1;
  return 1;
}

/// Exact division and roots are a fast one, and steps that correct it.
double float_slots(const Instruction& in) {
  const std::string& name = in.words[0];
  const bool exact = has(in, "rn") || has(in, "full");
  if (name == "div") return exact ? 10 : 2;
  if (is_one_of(name, {"sqrt", "rcp"})) return has(in, "rn") ? 8 : 1;
  return 1;
}

bool is_special(const std::string& name) {
  return is_one_of(name, {"ex2", "lg2", "sin", "cos", "rcp", "rsqrt", "sqrt", "tanh", "div"});
}

}  // namespace

Cost cost_of(const Instruction& in) {
  using Kind = Cost::Kind;
  const std::string& name = in.words.empty() ? in.text : in.words[0];
  if (in.flow == Instruction::Flow::kBarrier) return {.kind = Kind::kBarrier};
  if (in.flow != Instruction::Flow::kNone) return {};
  if (name == "ld" && in.space == Space::kParam) return {.issue = 0, .latency = 0};  // an operand
  if (name == "ld") return {.kind = Kind::kLoad, .latency = kSharedLatency};
  if (is_one_of(name, {"st", "red", "atom"})) return {.kind = Kind::kStore};
  if (name == "cp" && has(in, "cg")) return {.kind = Kind::kCopy};
  if (name == "ldmatrix") return {.kind = Kind::kMatrix, .latency = kSharedLatency};
  if (name == "mma") return {.kind = Kind::kProduct, .latency = kProductLatency};
  if (name == "wgmma" && has(in, "mma_async")) return {.kind = Kind::kGroupProduct};
  if (name == "shfl") return {.latency = kShuffleLatency};
  if (is_one_of(name, {"mov", "cvta"})) return {.issue = 0, .latency = 0};  // mostly no instruction
  if (name == "cvt") {
    const bool wide = in.type.bits == 64 || in.from.bits == 64;
    const bool integers = in.type.kind != 'f' && in.from.kind != 'f' && in.from.kind != 'h';
    return {.issue = integers ? 1.0 : wide ? 4.0 : 2.0};  // at a lower rate than arithmetic
  }
  if (in.type == Type{'f', 64})
    return {.issue = 2 * float_slots(in), .doubles = float_slots(in), .latency = 8};
  if (in.type.kind == 'f' || in.type.kind == 'x' || in.type.kind == 'y' || in.type.kind == 'h') {
    if (is_special(name))
      return {.issue = float_slots(in), .special = 1, .latency = kSpecialLatency};
    return {.issue = 1};
  }
  return {.issue = integer_slots(name, in.type.bits)};
}

}  // namespace eflow::ptx
