// Bits, comparisons, selections, moves: and or xor not shl shr bfi bfe prmt clz popc setp selp mov.
#include <bit>
#include <cmath>

#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

template <auto f, auto g>
Run bits(Type t) {
  if (t.bits == 64) return lanewise<u64, f, u64, u64>;
  if (t.bits == 1) return lanewise<u64, g, u64, u64>;
  if (t.bits == 16) return lanewise<std::uint16_t, f, u64, u64>;
  return lanewise<u32, f, u64, u64>;
}

/// Shifts by the width or more give 0, or copies of the sign.
template <class T>
T shift_left(T x, u32 n) {
  return n >= 8 * sizeof(T) ? T(0) : static_cast<T>(x << n);
}
template <class T>
T shift_right(T x, u32 n) {
  if (n >= 8 * sizeof(T)) return x < T(0) ? T(-1) : T(0);
  return static_cast<T>(x >> n);
}
template <class T>
constexpr Run kLeft = lanewise<T, shift_left<T>, T, u32>;
template <class T>
constexpr Run kRight = lanewise<T, shift_right<T>, T, u32>;

template <class T>
T insert_bits(T from, T into, u32 at, u32 count) {
  at &= 0xff;
  count &= 0xff;
  const T mask =
      shift_left(count >= 8 * sizeof(T) ? T(-1) : static_cast<T>((T(1) << count) - 1), at);
  return static_cast<T>((into & ~mask) | (shift_left(from, at) & mask));
}
template <class T>
T extract_bits(T x, u32 at, u32 count) {
  at &= 0xff;
  count &= 0xff;
  constexpr u32 kBits = 8 * sizeof(T);
  if (count == 0) return 0;
  const bool negative = std::is_signed_v<T> && (x >> std::min(at + count - 1, kBits - 1) & 1) != 0;
  u64 out = 0;
  for (u32 i = 0; i < kBits; ++i) {
    const bool bit = i < count && at + i < kBits ? (x >> (at + i) & 1) != 0 : negative;
    out |= static_cast<u64>(bit) << i;
  }
  return static_cast<T>(out);
}

u32 permute_bytes(u32 a, u32 b, u32 select) {
  const u64 bytes = static_cast<u64>(b) << 32 | a;
  u32 out = 0;
  for (int i = 0; i < 4; ++i) {
    const u32 s = select >> 4 * i & 0xf;
    u32 byte = static_cast<u32>(bytes >> 8 * (s & 7) & 0xff);
    if ((s & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
    out |= byte << 8 * i;
  }
  return out;
}

enum class Compare { kEq, kNe, kLt, kLe, kGt, kGe, kEqu, kNeu, kLtu, kLeu, kGtu, kGeu, kNum, kNan };
constexpr const char* kCompareNames[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                         "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

/// With NaN: false; those ending in u: true.
template <class T>
bool compare(Compare c, T a, T b) {
  const bool unordered = a != a || b != b;
  switch (c) {
    case Compare::kEq:
      return a == b;
    case Compare::kNe:
      return a != b && !unordered;
    case Compare::kLt:
      return a < b;
    case Compare::kLe:
      return a <= b;
    case Compare::kGt:
      return a > b;
    case Compare::kGe:
      return a >= b;
    case Compare::kEqu:
      return a == b || unordered;
    case Compare::kNeu:
      return a != b;
    case Compare::kLtu:
      return a < b || unordered;
    case Compare::kLeu:
      return a <= b || unordered;
    case Compare::kGtu:
      return a > b || unordered;
    case Compare::kGeu:
      return a >= b || unordered;
    case Compare::kNum:
      return !unordered;
    case Compare::kNan:
      return unordered;
  }
  return false;
}
template <class T>
void set_predicate(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes s[2];
  const u64* const a = warp.read(in.operands.at(1), s[0]);
  const u64* const b = warp.read(in.operands.at(2), s[1]);
  u64* const to = warp.write(in.operands[0]);
  each_lane(lanes, [&](int i) {
    to[i] = compare(static_cast<Compare>(in.option), as<T>(a[i]), as<T>(b[i])) ? 1 : 0;
  });
}
Run decode_setp(Instruction& in, std::vector<std::string>& words) {
  if (in.operands.size() != 3) return nullptr;
  bool found = false;
  for (int i = 0; !found && i < 14; ++i) {
    found = take(words, kCompareNames[i]);
    in.option = i;
  }
  if (!found) return nullptr;
  const Type t = in.type;
  if (t.kind == 'f') return t.bits == 32 ? set_predicate<float> : set_predicate<double>;
  if (t.kind == 's')
    return t.bits == 64   ? set_predicate<std::int64_t>
           : t.bits == 32 ? set_predicate<std::int32_t>
                          : set_predicate<std::int16_t>;
  return t.bits == 64   ? set_predicate<u64>
         : t.bits == 32 ? set_predicate<u32>
                        : set_predicate<std::uint16_t>;
}

template <class T>
constexpr Run kSelect = lanewise<T, [](T a, T b, bool c) { return c ? a : b; }, T, T, bool>;
template <class T>
constexpr Run kMove = lanewise<T, [](T a) { return a; }, T>;

/// mov of several registers into one, the first lowest.
void pack(Warp& warp, const Instruction& in, u32 lanes) {
  const std::vector<Operand>& parts = in.operands[1].parts;
  const auto bits = static_cast<std::size_t>(in.type.bits) / parts.size();
  Lanes out{}, scratch;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    const u64* const x = warp.read(parts[p], scratch);
    for (std::size_t i = 0; i < kLanes; ++i)
      out[i] |= (x[i] & ((u64{1} << bits) - 1)) << (bits * p);
  }
  warp.assign(in.operands[0], out, lanes);
}
void unpack(Warp& warp, const Instruction& in, u32 lanes) {
  const std::vector<Operand>& parts = in.operands[0].parts;
  const auto bits = static_cast<std::size_t>(in.type.bits) / parts.size();
  Lanes scratch, out;
  const u64* const x = warp.read(in.operands[1], scratch);
  Lanes value;
  std::copy(x, x + kLanes, value.begin());
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t i = 0; i < kLanes; ++i)
      out[i] = value[i] >> (bits * p) & ((u64{1} << bits) - 1);
    warp.assign(parts[p], out, lanes);
  }
}
Run decode_mov(const Instruction& in) {
  if (in.operands.size() != 2) return nullptr;
  if (in.operands[1].kind == Operand::Kind::kList) return pack;
  if (in.operands[0].kind == Operand::Kind::kList) return unpack;
  return in.type.bits == 64   ? kMove<u64>
         : in.type.bits == 32 ? kMove<u32>
         : in.type.bits == 16 ? kMove<std::uint16_t>
                              : kMove<bool>;
}

}  // namespace

Run decode_logic(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  const Type t = in.type;
  constexpr auto kAnd = [](u64 a, u64 b) { return a & b; };
  constexpr auto kOr = [](u64 a, u64 b) { return a | b; };
  constexpr auto kXor = [](u64 a, u64 b) { return a ^ b; };
  if (name == "and") return bits<kAnd, kAnd>(t);
  if (name == "or") return bits<kOr, kOr>(t);
  if (name == "xor") return bits<kXor, kXor>(t);
  if (name == "not") {
    if (t.bits == 1) return lanewise<u64, [](bool x) { return x ? 0 : 1; }, bool>;
    if (t.bits == 64) return lanewise<u64, [](u64 x) { return ~x; }, u64>;
    return t.bits == 32 ? lanewise<u32, [](u32 x) { return ~x; }, u32>
                        : lanewise<std::uint16_t, [](u32 x) { return ~x; }, u32>;
  }
  if (name == "shl")
    return t.bits == 64 ? kLeft<u64> : t.bits == 32 ? kLeft<u32> : kLeft<std::uint16_t>;
  if (name == "shr") {
    if (t.kind == 's')
      return t.bits == 64   ? kRight<std::int64_t>
             : t.bits == 32 ? kRight<std::int32_t>
                            : kRight<std::int16_t>;
    return t.bits == 64 ? kRight<u64> : t.bits == 32 ? kRight<u32> : kRight<std::uint16_t>;
  }
  if (name == "bfi")
    return t.bits == 64 ? lanewise<u64, insert_bits<u64>, u64, u64, u32, u32>
                        : lanewise<u32, insert_bits<u32>, u32, u32, u32, u32>;
  if (name == "bfe") {
    if (t == Type{'u', 32}) return lanewise<u32, extract_bits<u32>, u32, u32, u32>;
    if (t == Type{'u', 64}) return lanewise<u64, extract_bits<u64>, u64, u32, u32>;
    if (t == Type{'s', 32})
      return lanewise<std::int32_t, extract_bits<std::int32_t>, std::int32_t, u32, u32>;
    return nullptr;
  }
  if (name == "prmt" && t.bits == 32) return lanewise<u32, permute_bytes, u32, u32, u32>;
  if (name == "clz")
    return t.bits == 64 ? lanewise<u32, [](u64 x) { return std::countl_zero(x); }, u64>
                        : lanewise<u32, [](u32 x) { return std::countl_zero(x); }, u32>;
  if (name == "popc")
    return t.bits == 64 ? lanewise<u32, [](u64 x) { return std::popcount(x); }, u64>
                        : lanewise<u32, [](u32 x) { return std::popcount(x); }, u32>;
  if (name == "setp") return decode_setp(in, words);
  if (name == "selp")
    return t.bits == 64 ? kSelect<u64> : t.bits == 32 ? kSelect<u32> : kSelect<std::uint16_t>;
  if (name == "mov") return decode_mov(in);
  return nullptr;
}

}  // namespace eflow::ptx
