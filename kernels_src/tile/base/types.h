#pragma once
// Scalar types of kernel texts. Texts include only each other, so NVRTC, g++ and clang see the same
// few hundred lines. The compiling side defines EFLOW_TEXT, the namespace of the text (one per
// instruction set on the CPU). Host code that needs only an argument struct includes args/ without
// any of this.

#ifndef EFLOW_TEXT
#define EFLOW_TEXT eflow_text
#endif

// EFLOW_UNROLL is placed before a loop of constant length that is to be unrolled, EFLOW_ONE_BY_ONE
// before one that a GPU's compiler must not unroll.
//
// EFLOW_GPU selects the GPU implementations. NVRTC always defines it; host compilers define it only
// in tests that emulate a GPU.
#if defined(__CUDACC_RTC__)
#define EFLOW_GPU 1
#define EFLOW_FN __device__ __forceinline__
#define EFLOW_UNROLL _Pragma("unroll")
#define EFLOW_ONE_BY_ONE _Pragma("unroll 1")
// Maps the host compilers' builtins, which the texts use, to CUDA's functions. NVRTC provides the
// latter without any header.

#define __builtin_memcpy ::memcpy
#define __builtin_sqrtf ::sqrtf
#define __builtin_sqrt ::sqrt
#define __builtin_exp2 ::exp2
#define __builtin_exp ::exp
#define __builtin_logf ::logf
#define __builtin_log ::log
#define __builtin_sinf ::sinf
#define __builtin_sin ::sin
#define __builtin_cosf ::cosf
#define __builtin_cos ::cos
#define __builtin_tanh ::tanh
#define __builtin_floorf ::floorf
#define __builtin_floor ::floor
#define __builtin_erf ::erf
#define __builtin_powf ::powf
#define __builtin_pow ::pow
#define __builtin_fmaf ::fmaf
#define __builtin_fma ::fma
#define __builtin_inff() ::__int_as_float(0x7f800000)
#define __builtin_inf() ::__longlong_as_double(0x7ff0000000000000ll)
#elif defined(EFLOW_GPU)
#define EFLOW_FN inline
#define EFLOW_UNROLL
#define EFLOW_ONE_BY_ONE
#else
#define EFLOW_FN inline __attribute__((always_inline))
#define EFLOW_UNROLL _Pragma("GCC unroll 16")
#define EFLOW_ONE_BY_ONE
#endif

namespace EFLOW_TEXT {

using Index = long long;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i8 = signed char;
using i16 = short;
using i32 = int;
using i64 = long long;

static_assert(sizeof(Index) == 8 && sizeof(u32) == 4);

/// bfloat16: the upper 16 bits of a float.
struct bf16 {
  u16 bits;
};

/// IEEE half precision.
struct f16 {
  u16 bits;
};
/// 8-bit floats [Micikevicius et al., "FP8 formats for deep learning", arXiv 2209.05433]: 4 bits of
/// exponent and 3 of fraction, without infinities, at most 448; 5 and 2 bits, at most 57344.
struct e4m3 {
  u8 bits;
};
struct e5m2 {
  u8 bits;
};

/// Compute type of a stored type: float for all floats but double, integers themselves.
template <class T>
struct ComputeOf {
  using type = T;
};
template <>
struct ComputeOf<bf16> {
  using type = float;
};
template <>
struct ComputeOf<f16> {
  using type = float;
};
template <>
struct ComputeOf<e4m3> {
  using type = float;
};
template <>
struct ComputeOf<e5m2> {
  using type = float;
};
template <class T>
using Compute = typename ComputeOf<T>::type;

/// Whether two types are the same. Code that depends on a type asks for the type, never for its
/// size: bf16, short and unsigned short all have two bytes.
template <class T, class S>
inline constexpr bool kSameType = false;
template <class T>
inline constexpr bool kSameType<T, T> = true;
template <class T>
inline constexpr bool kIsBf16 = kSameType<T, bf16>;
/// Whether T is a type that sums and elementary functions are computed in.
template <class T>
inline constexpr bool kIsFloat = kSameType<T, float> || kSameType<T, double>;
/// Whether T is stored in fewer bits than float and is none of bf16 (base/small_floats.h).
template <class T>
inline constexpr bool kIsSmallFloat = kSameType<T, f16> || kSameType<T, e4m3> || kSameType<T, e5m2>;
/// Whether T is an integer, and whether it is a single number: no pack, and none of the stored
/// floats above, which are converted before they are computed with.
template <class T>
inline constexpr bool kIsInteger =
    kSameType<T, bool> || kSameType<T, char> || kSameType<T, i8> || kSameType<T, u8> ||
    kSameType<T, i16> || kSameType<T, u16> || kSameType<T, i32> || kSameType<T, u32> ||
    kSameType<T, long> || kSameType<T, unsigned long> || kSameType<T, i64> || kSameType<T, u64>;
template <class T>
inline constexpr bool kIsNumber = kIsFloat<T> || kIsInteger<T>;

/// The block of the launch that a text works on: a thread block on a GPU, one task of the thread
/// pool on the CPU.
struct Block {
  Index x, y, z;     ///< position in the grid
  Index nx, ny, nz;  ///< size of the grid
  /// Memory for tiles. CPU: of the running thread, 64-byte aligned; GPU: dynamic shared memory
  char* scratch;
#if !defined(EFLOW_GPU)
  Index scratch_bytes;  ///< size of that memory
  /// Reports a tile (or plain memory: rows = 0) of `bytes` bytes when `left` of `all` bytes are
  /// left. Ends the launch and does not return.
  void (*no_room)(Index rows, Index columns, Index bytes, Index left, Index all);
#endif
};

/// T without reference and const, as std::remove_cvref.
template <class T>
struct BareOf {
  using type = T;
};
template <class T>
struct BareOf<const T> {
  using type = T;
};
template <class T>
struct BareOf<T&> : BareOf<T> {};
template <class T>
struct BareOf<T&&> : BareOf<T> {};
template <class T>
using Bare = typename BareOf<T>::type;

template <class T>
EFLOW_FN constexpr T min_of(T a, T b) {
  return a < b ? a : b;
}
template <class T>
EFLOW_FN constexpr T max_of(T a, T b) {
  return a < b ? b : a;
}

/// The larger and the smaller of two packs or numbers; NaN if either is NaN.
template <class V>
EFLOW_FN V max_pack(V a, V b) {
  return ((a > b) | (a != a)) ? a : b;
}
template <class V>
EFLOW_FN V min_pack(V a, V b) {
  return ((a < b) | (a != a)) ? a : b;
}

/// The number that no C is below, and the one that no C is above: infinite if C has infinities.
template <class C>
EFLOW_FN constexpr C lowest_of() {
  if constexpr (kIsFloat<C>)
    return static_cast<C>(-__builtin_inff());
  else if constexpr (static_cast<C>(-1) > C(0))
    return C(0);
  else
    return static_cast<C>(1ull << (8 * sizeof(C) - 1));
}
template <class C>
EFLOW_FN constexpr C highest_of() {
  if constexpr (kIsFloat<C>)
    return static_cast<C>(__builtin_inff());
  else
    return static_cast<C>(~lowest_of<C>());
}

EFLOW_FN Index ceil_div(Index a, Index b) {
  return (a + b - 1) / b;
}

/// The upper half of a product.
EFLOW_FN u32 multiply_high(u32 a, u32 b) {
#if defined(__CUDACC_RTC__)
  return ::__umulhi(a, b);
#else
  return static_cast<u32>(static_cast<u64>(a) * b >> 32);
#endif
}

struct Division {
  Index quotient, remainder;
};
/// a / b and a % b for non-negative numbers, in 32 bits if they fit: a GPU divides those four times
/// as fast.
EFLOW_FN Division divide(Index a, Index b) {
  if ((a | b) >> 32 == 0) {
    const u32 q = static_cast<u32>(a) / static_cast<u32>(b);
    return {static_cast<Index>(q),
            static_cast<Index>(static_cast<u32>(a) - q * static_cast<u32>(b))};
  }
  return {a / b, a % b};
}

}  // namespace EFLOW_TEXT
