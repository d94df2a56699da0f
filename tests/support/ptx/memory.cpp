// Loads, stores, atomic additions, addresses and asynchronous copies: ld st atom red cvta cp.async.
#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

Space space_of(std::vector<std::string>& words) {
  if (take(words, "global")) return Space::kGlobal;
  if (take(words, "const")) return Space::kGlobal;
  if (take(words, "shared") || take(words, "shared::cta")) return Space::kShared;
  if (take(words, "local")) return Space::kLocal;
  if (take(words, "param") || take(words, "param::entry")) return Space::kParam;
  return Space::kGeneric;
}

/// The operand, or each part of a list.
const Operand& part(const Operand& o, std::size_t i) {
  return o.kind == Operand::Kind::kList ? o.parts.at(i) : o;
}

template <int bytes, bool is_signed>
void load(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes at, out[4];
  warp.addresses(in.operands.at(1), in.space, at);
  each_lane(lanes, [&](int lane) {
    const auto l = static_cast<std::size_t>(lane);
    u8 data[bytes * 4];
    warp.load(in, at[l], lane, data, static_cast<std::size_t>(bytes * in.vector));
    for (int v = 0; v < in.vector; ++v) {
      u64 value = 0;
      std::memcpy(&value, data + v * bytes, bytes);
      if constexpr (is_signed && bytes < 8) {
        constexpr int kShift = 64 - 8 * bytes;
        value = static_cast<u64>(static_cast<std::int64_t>(value << kShift) >> kShift);
      }
      out[v][l] = value;
    }
  });
  for (std::size_t v = 0; v < static_cast<std::size_t>(in.vector); ++v)
    warp.assign(part(in.operands[0], v), out[v], lanes);
}

template <int bytes>
void store(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes at, scratch[4];
  warp.addresses(in.operands.at(0), in.space, at);
  const u64* values[4] = {};
  for (std::size_t v = 0; v < static_cast<std::size_t>(in.vector); ++v)
    values[v] = warp.read(part(in.operands.at(1), v), scratch[v]);
  each_lane(lanes, [&](int lane) {
    u8 data[bytes * 4];
    for (int v = 0; v < in.vector; ++v) std::memcpy(data + v * bytes, &values[v][lane], bytes);
    warp.store(in, at[static_cast<std::size_t>(lane)], lane, data,
               static_cast<std::size_t>(bytes * in.vector));
  });
}

Run decode_access(Instruction& in, bool is_load, std::vector<std::string>& words) {
  in.space = space_of(words);
  take(words, "nc");
  take(words, "volatile");
  if (take(words, "v2")) in.vector = 2;
  if (take(words, "v4")) in.vector = 4;
  const bool s = in.type.kind == 's';
  if (in.operands.size() != 2) return nullptr;
  switch (in.type.bits) {
    case 8:
      return is_load ? (s ? load<1, true> : load<1, false>) : store<1>;
    case 16:
      return is_load ? (s ? load<2, true> : load<2, false>) : store<2>;
    case 32:
      return is_load ? (s ? load<4, true> : load<4, false>) : store<4>;
    case 64:
      return is_load ? load<8, false> : store<8>;
    default:
      return nullptr;
  }
}

/// Lane by lane; `returns`: operand 0 receives the old value.
template <class T, bool returns>
void add_atomically(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes at, scratch, out{};
  warp.addresses(in.operands.at(returns ? 1 : 0), in.space, at);
  const u64* const x = warp.read(in.operands.at(returns ? 2 : 1), scratch);
  each_lane(lanes, [&](int lane) {
    const auto l = static_cast<std::size_t>(lane);
    T value;
    warp.load(in, at[l], lane, &value, sizeof value);
    out[l] = bits_of(value);
    value += as<T>(x[l]);
    warp.store(in, at[l], lane, &value, sizeof value);
  });
  if (returns) warp.assign(in.operands[0], out, lanes);
}
template <bool returns>
Run decode_atomic(Instruction& in, std::vector<std::string>& words) {
  in.space = space_of(words);
  take(words, "relaxed");
  take(words, "gpu");
  if (!take(words, "add") || in.operands.size() != (returns ? 3u : 2u)) return nullptr;
  if (in.type == Type{'f', 32}) return add_atomically<float, returns>;
  if (in.type == Type{'f', 64}) return add_atomically<double, returns>;
  if (in.type.kind == 'f') return nullptr;
  return in.type.bits == 64 ? add_atomically<u64, returns> : add_atomically<u32, returns>;
}

/// Between generic addresses and those of a state space. option: the space.
template <bool to>
void convert_address(Warp& warp, const Instruction& in, u32 lanes) {
  const auto space = static_cast<Space>(in.option);
  const u64 window = space == Space::kShared  ? kSharedWindow
                     : space == Space::kLocal ? kLocalWindow
                     : space == Space::kParam ? kParamWindow
                                              : 0;
  Lanes scratch, out;
  const u64* const x = warp.read(in.operands.at(1), scratch);
  for (std::size_t i = 0; i < kLanes; ++i) out[i] = to ? x[i] - window : x[i] + window;
  warp.assign(in.operands[0], out, lanes);
}

/// cp.async of 16 bytes; operand 3, if any: how many of them come from memory, the rest are 0.
void copy_async(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes to, from, scratch;
  warp.addresses(in.operands.at(0), Space::kShared, to);
  warp.addresses(in.operands.at(1), Space::kGlobal, from);
  const u64* const used = in.operands.size() > 3 ? warp.read(in.operands[3], scratch)
                                                 : (scratch.fill(16), scratch.data());
  each_lane(lanes, [&](int lane) {
    const auto l = static_cast<std::size_t>(lane);
    const u32 bytes = as<u32>(used[lane]);
    ++warp.block().counts.copies;
    if (bytes > 16) warp.fail(in, lane, "copies more than 16 bytes");
    warp.copy_async(in, to[l], from[l], bytes, lane);
  });
}
void commit(Warp& warp, const Instruction&, u32 lanes) {
  warp.commit(lanes);
}
void wait(Warp& warp, const Instruction& in, u32 lanes) {
  warp.wait(in.operands.at(0).value, lanes);
}
void wait_all(Warp& warp, const Instruction&, u32 lanes) {
  warp.commit(lanes);
  warp.wait(0, lanes);
}

Run decode_copy(Instruction& in, std::vector<std::string>& words) {
  if (!take(words, "async")) return nullptr;
  if (take(words, "commit_group")) return commit;
  if (take(words, "wait_group")) return wait;
  if (take(words, "wait_all")) return wait_all;
  if (!take(words, "cg") || !take(words, "shared") || !take(words, "global")) return nullptr;
  const bool sixteen = in.operands.size() > 2 && in.operands[2].value == 16;
  return sixteen ? copy_async : nullptr;
}

}  // namespace

Run decode_memory(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  if (name == "ld") return decode_access(in, true, words);
  if (name == "st") return decode_access(in, false, words);
  if (name == "cp") return decode_copy(in, words);
  if (name == "atom") return decode_atomic<true>(in, words);
  if (name == "red") return decode_atomic<false>(in, words);
  if (name == "cvta") {
    const bool to = take(words, "to");
    in.option = static_cast<int>(space_of(words));
    return to ? convert_address<true> : convert_address<false>;
  }
  return nullptr;
}

}  // namespace eflow::ptx
