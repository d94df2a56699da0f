#pragma once
// Instructions of single lanes as functions of plain values: `lanewise<R, f, T...>` executes f on
// each lane, reading operands 1, 2, ... as T... and writing operand 0 as R.

#include <cstring>
#include <tuple>
#include <utility>

#include "eflow/tests/support/ptx/interpreter.hpp"

namespace eflow::ptx {

template <class T>
T as(u64 bits) {
  if constexpr (std::is_same_v<T, bool>) {
    return (bits & 1) != 0;
  } else {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
}
template <class T>
u64 bits_of(T value) {
  u64 bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class R, auto f, class... T>
void lanewise(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes scratch[sizeof...(T)];
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    const u64* const x[] = {warp.read(in.operands.at(i + 1), scratch[i])...};
    u64* const to = warp.write(in.operands[0]);
    each_lane(lanes, [&](int lane) { to[lane] = bits_of(R(f(as<T>(x[i][lane])...))); });
  }
  (std::index_sequence_for<T...>());
}

/// Takes a word out of the opcode; whether it was there.
inline bool take(std::vector<std::string>& words, const char* word) {
  for (auto w = words.begin(); w != words.end(); ++w) {
    if (*w != word) continue;
    words.erase(w);
    return true;
  }
  return false;
}

// Each selects the function for `in`, whose `words` are those behind the opcode's name that are not
// types, and removes the words it understands; returns nullptr if it knows no such instruction.
Run decode_arithmetic(Instruction& in, const std::string& name, std::vector<std::string>& words);
Run decode_logic(Instruction& in, const std::string& name, std::vector<std::string>& words);
Run decode_conversion(Instruction& in, const std::string& name, std::vector<std::string>& words);
Run decode_memory(Instruction& in, const std::string& name, std::vector<std::string>& words);
Run decode_hopper(Instruction& in, const std::string& name, std::vector<std::string>& words);
Run decode_warp(Instruction& in, const std::string& name, std::vector<std::string>& words);

}  // namespace eflow::ptx
