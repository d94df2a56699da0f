// Arithmetic: add sub mul mad fma div rem min max neg abs sqrt rsqrt rcp ex2 lg2 sin cos tanh
// copysign, carries.
#include <algorithm>
#include <cmath>
#include <limits>

#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

template <class T>
using Wide = std::conditional_t<
    std::is_same_v<T, std::int16_t>, std::int32_t,
    std::conditional_t<
        std::is_same_v<T, std::uint16_t>, u32,
        std::conditional_t<std::is_same_v<T, std::int32_t>, std::int64_t,
                           std::conditional_t<std::is_same_v<T, u32>, u64,
                                              std::conditional_t<std::is_same_v<T, std::int64_t>,
                                                                 __int128, unsigned __int128>>>>>;

/// Integers wrap around.
template <class T>
auto wrapping(T x) {
  if constexpr (std::is_integral_v<T>)
    return static_cast<std::conditional_t<sizeof(T) < 4, u32, std::make_unsigned_t<T>>>(x);
  else
    return x;
}

struct Add {
  template <class T>
  static T on(T a, T b) {
    return static_cast<T>(wrapping(a) + wrapping(b));
  }
};
struct Sub {
  template <class T>
  static T on(T a, T b) {
    return static_cast<T>(wrapping(a) - wrapping(b));
  }
};
struct Mul {
  template <class T>
  static T on(T a, T b) {
    return static_cast<T>(wrapping(a) * wrapping(b));
  }
};
struct MulHigh {
  template <class T>
  static T on(T a, T b) {
    return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >> (8 * sizeof(T)));
  }
};
struct Div {
  template <class T>
  static T on(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) return static_cast<T>(-1);  // PTX: unspecified
      if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Sub::on(T(0), a);
    }
    return static_cast<T>(a / b);
  }
};
struct Rem {
  template <class T>
  static T on(T a, T b) {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};
struct Min {
  template <class T>
  static T on(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fmin(a, b);
    else
      return std::min(a, b);
  }
};
struct Max {
  template <class T>
  static T on(T a, T b) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fmax(a, b);
    else
      return std::max(a, b);
  }
};
/// min and max with .NaN: NaN if either is.
template <class Choose>
struct OrNan {
  template <class T>
  static T on(T a, T b) {
    return a != a || b != b ? std::numeric_limits<T>::quiet_NaN() : Choose::on(a, b);
  }
};
struct Neg {
  template <class T>
  static T on(T a) {
    if constexpr (std::is_floating_point_v<T>)
      return -a;
    else
      return Sub::on(T(0), a);
  }
};
struct Abs {
  template <class T>
  static T on(T a) {
    if constexpr (std::is_floating_point_v<T>)
      return std::abs(a);
    else
      return a < 0 ? Neg::on(a) : a;
  }
};
struct Fma {
  template <class T>
  static T on(T a, T b, T c) {
    if constexpr (std::is_floating_point_v<T>)
      return std::fma(a, b, c);
    else
      return Add::on(Mul::on(a, b), c);
  }
};

template <class Op, class T>
constexpr Run unary = lanewise<T, Op::template on<T>, T>;
template <class Op, class T>
constexpr Run binary = lanewise<T, Op::template on<T>, T, T>;
template <class Op, class T>
constexpr Run ternary = lanewise<T, Op::template on<T>, T, T, T>;

template <class Op>
Run floats(Type t) {
  if (t == Type{'f', 32}) return binary<Op, float>;
  if (t == Type{'f', 64}) return binary<Op, double>;
  return nullptr;
}
template <class Op>
Run integers(Type t) {
  const bool is_signed = t.kind == 's';
  if (t.kind != 's' && t.kind != 'u') return nullptr;
  if (t.bits == 16) return is_signed ? binary<Op, std::int16_t> : binary<Op, std::uint16_t>;
  if (t.bits == 32) return is_signed ? binary<Op, std::int32_t> : binary<Op, u32>;
  return is_signed ? binary<Op, std::int64_t> : binary<Op, u64>;
}
template <class Op>
Run numbers(Type t) {
  return t.kind == 'f' ? floats<Op>(t) : integers<Op>(t);
}
template <class Op>
Run signed_numbers(Type t) {
  if (t == Type{'f', 32}) return unary<Op, float>;
  if (t == Type{'f', 64}) return unary<Op, double>;
  if (t == Type{'s', 16}) return unary<Op, std::int16_t>;
  if (t == Type{'s', 32}) return unary<Op, std::int32_t>;
  if (t == Type{'s', 64}) return unary<Op, std::int64_t>;
  return nullptr;
}

template <class T>
Run wide_product(bool add) {
  if (add) {
    return lanewise<Wide<T>,
                    [](T a, T b, Wide<T> c) {
                      return Add::on(Mul::on(static_cast<Wide<T>>(a), static_cast<Wide<T>>(b)), c);
                    },
                    T, T, Wide<T>>;
  }
  return lanewise<
      Wide<T>, [](T a, T b) { return Mul::on(static_cast<Wide<T>>(a), static_cast<Wide<T>>(b)); },
      T, T>;
}
Run wide_product(Type t, bool add) {
  if (t == Type{'s', 16}) return wide_product<std::int16_t>(add);
  if (t == Type{'u', 16}) return wide_product<std::uint16_t>(add);
  if (t == Type{'s', 32}) return wide_product<std::int32_t>(add);
  if (t == Type{'u', 32}) return wide_product<u32>(add);
  return nullptr;
}

/// add, sub and mad with the carry flag, 32 bits. option: bits below.
enum : int { kCarryIn = 1, kCarryOut = 2, kHigh = 4 };
template <char op>
void with_carry(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes s[3];
  const u64* const a = warp.read(in.operands.at(1), s[0]);
  const u64* const b = warp.read(in.operands.at(2), s[1]);
  const u64* const c = op == 'm' ? warp.read(in.operands.at(3), s[2]) : nullptr;
  u64* const to = warp.write(in.operands[0]);
  each_lane(lanes, [&](int i) {
    u64& carry = warp.carry[static_cast<std::size_t>(i)];
    const u64 flag = (in.option & kCarryIn) != 0 ? carry : 0;
    const u64 x = as<u32>(a[i]), y = as<u32>(b[i]);
    u64 result = 0;
    if (op == 'm') {
      const u64 product = (in.option & kHigh) != 0 ? x * y >> 32 : x * y & 0xffffffffu;
      result = product + as<u32>(c[i]) + flag;
    } else {
      result = op == 'a' ? x + y + flag : x - y - flag;
    }
    to[i] = as<u32>(result);
    if ((in.option & kCarryOut) != 0) carry = result >> 32 & 1;
  });
}
Run decode_carry(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  const bool cc = take(words, "cc"), from = name.size() == 4 && name.back() == 'c';
  if ((!cc && !from) || in.type.bits != 32) return nullptr;
  in.option = (from ? kCarryIn : 0) | (cc ? kCarryOut : 0);
  if (name.starts_with("add")) return with_carry<'a'>;
  if (name.starts_with("sub")) return with_carry<'s'>;
  if (!name.starts_with("mad")) return nullptr;
  if (take(words, "hi"))
    in.option |= kHigh;
  else if (!take(words, "lo"))
    return nullptr;
  return with_carry<'m'>;
}

float flush(float x) {
  return std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(0.0f, x) : x;
}
/// "rcp.approx.ftz.f64" and its square root: the lower half of the result is 0.
double upper_half(double x) {
  return as<double>(bits_of(x) & 0xffffffff00000000u);
}

/// Functions of one number. Those that the hardware approximates are exact here.
Run decode_function(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  const bool approximate = take(words, "approx"), ftz = take(words, "ftz");
  const bool wide = in.type == Type{'f', 64};
  if (!wide && in.type != Type{'f', 32}) return nullptr;
  if (!approximate && !take(words, "rn")) return nullptr;
  if (approximate && ftz && wide) {
    if (name == "rcp") return lanewise<double, [](double x) { return upper_half(1 / x); }, double>;
    if (name == "rsqrt")
      return lanewise<double, [](double x) { return upper_half(1 / std::sqrt(x)); }, double>;
    return nullptr;
  }
  if (ftz && name == "ex2")
    return lanewise<float, [](float x) { return flush(std::exp2(flush(x))); }, float>;
  if (ftz && name == "rcp")
    return lanewise<float, [](float x) { return flush(1 / flush(x)); }, float>;
  if (ftz) return nullptr;
  if (name == "sqrt")
    return wide ? lanewise<double, [](double x) { return std::sqrt(x); }, double>
                : lanewise<float, [](float x) { return std::sqrt(x); }, float>;
  if (name == "rcp")
    return wide ? lanewise<double, [](double x) { return 1 / x; }, double>
                : lanewise<float, [](float x) { return 1 / x; }, float>;
  if (!approximate) return nullptr;
  if (name == "rsqrt")
    return wide ? lanewise<double, [](double x) { return 1 / std::sqrt(x); }, double>
                : lanewise<float, [](float x) { return 1 / std::sqrt(x); }, float>;
  if (wide) return nullptr;
  if (name == "ex2") return lanewise<float, [](float x) { return std::exp2(x); }, float>;
  if (name == "lg2") return lanewise<float, [](float x) { return std::log2(x); }, float>;
  if (name == "sin") return lanewise<float, [](float x) { return std::sin(x); }, float>;
  if (name == "cos") return lanewise<float, [](float x) { return std::cos(x); }, float>;
  if (name == "tanh") return lanewise<float, [](float x) { return std::tanh(x); }, float>;
  return nullptr;
}

/// "dp2a.lo.s32.u32": the sum of c and the products of a's two halves with two bytes of b.
template <class Half, class Byte, int first>
u32 dot_halves(u32 a, u32 b, u32 c) {
  for (int i = 0; i < 2; ++i) {
    const auto half = static_cast<Half>(a >> 16 * i);
    const auto byte = static_cast<Byte>(b >> 8 * (first + i));
    c += static_cast<u32>(static_cast<std::int32_t>(half) * static_cast<std::int32_t>(byte));
  }
  return c;
}
template <class Half, class Byte>
Run decode_dot(std::vector<std::string>& words) {
  if (take(words, "lo")) return lanewise<u32, dot_halves<Half, Byte, 0>, u32, u32, u32>;
  return take(words, "hi") ? lanewise<u32, dot_halves<Half, Byte, 2>, u32, u32, u32> : nullptr;
}

Run decode_product(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  const bool add = name == "mad";
  if (take(words, "wide")) return wide_product(in.type, add);
  if (take(words, "hi")) return add ? nullptr : integers<MulHigh>(in.type);
  if (in.type.kind != 'f' && !take(words, "lo")) return nullptr;
  if (!add) return numbers<Mul>(in.type);
  if (in.type == Type{'s', 32} || in.type == Type{'u', 32}) return ternary<Fma, u32>;
  if (in.type == Type{'s', 64} || in.type == Type{'u', 64}) return ternary<Fma, u64>;
  return nullptr;
}

}  // namespace

Run decode_arithmetic(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  {
    std::vector<std::string> left = words;
    if (const Run run = decode_carry(in, name, left)) return words = left, run;
  }
  if (name == "dp2a") {
    const bool s = in.from.kind == 's';
    if (in.type.kind == 's')
      return s ? decode_dot<std::int16_t, std::int8_t>(words)
               : decode_dot<std::uint16_t, std::int8_t>(words);
    return s ? decode_dot<std::int16_t, u8>(words) : decode_dot<std::uint16_t, u8>(words);
  }
  if (name == "sqrt" || name == "rcp" || name == "rsqrt" || name == "ex2" || name == "lg2" ||
      name == "sin" || name == "cos" || name == "tanh")
    return decode_function(in, name, words);
  if (in.type.kind == 'f') take(words, "rn");
  if (name == "add") return numbers<Add>(in.type);
  if (name == "sub") return numbers<Sub>(in.type);
  if (name == "mul" || name == "mad") return decode_product(in, name, words);
  if (name == "fma") {
    if (in.type == Type{'f', 32}) return ternary<Fma, float>;
    return in.type == Type{'f', 64} ? ternary<Fma, double> : nullptr;
  }
  if (name == "div") {
    if (take(words, "approx") || take(words, "full"))
      return in.type == Type{'f', 32} ? binary<Div, float> : nullptr;
    return numbers<Div>(in.type);
  }
  if (name == "rem") return integers<Rem>(in.type);
  if ((name == "min" || name == "max") && take(words, "NaN")) {
    if (in.type != Type{'f', 32}) return nullptr;
    return name == "min" ? binary<OrNan<Min>, float> : binary<OrNan<Max>, float>;
  }
  if (name == "min") return numbers<Min>(in.type);
  if (name == "max") return numbers<Max>(in.type);
  if (name == "neg") return signed_numbers<Neg>(in.type);
  if (name == "abs") return signed_numbers<Abs>(in.type);
  if (name == "copysign") {  // of operand 1, on the magnitude of operand 2
    if (in.type == Type{'f', 32})
      return lanewise<float, [](float s, float x) { return std::copysign(x, s); }, float, float>;
    return lanewise<double, [](double s, double x) { return std::copysign(x, s); }, double, double>;
  }
  return nullptr;
}

}  // namespace eflow::ptx
