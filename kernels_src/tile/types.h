#pragma once
// Scalars of kernel texts. Texts include nothing but each other, so that NVRTC, g++ and clang see the same few hundred
// lines; whoever compiles a text defines EFLOW_TEXT, the namespace it lives in (one for each instruction set on the CPU).
// Host code that needs only an argument struct includes the struct's header without any of this.

#ifndef EFLOW_TEXT
#define EFLOW_TEXT eflow_text
#endif

// EFLOW_GPU: the GPU's forms. Only NVRTC makes a GPU's code of them; host compilers are given it by tests that emulate one.
#if defined(__CUDACC_RTC__)
#define EFLOW_GPU 1
#define EFLOW_FN __device__ __forceinline__
#define EFLOW_UNROLL _Pragma("unroll")
#include "tile/cuda_builtins.h"
#elif defined(EFLOW_GPU)
#define EFLOW_FN inline
#define EFLOW_UNROLL
#else
#define EFLOW_FN inline __attribute__((always_inline))
#define EFLOW_UNROLL _Pragma("GCC unroll 16")
#endif

namespace EFLOW_TEXT {

using Index = long long;
using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i32 = int;
using i64 = long long;

static_assert(sizeof(Index) == 8 && sizeof(u32) == 4);

/// The upper half of a float.
struct bf16 {
  u16 bits;
};

/// What a stored type is computed in: float for bf16 and float, double for double, itself for integers.
template <class T>
struct ComputeOf {
  using type = T;
};
template <>
struct ComputeOf<bf16> {
  using type = float;
};
template <class T>
using Compute = typename ComputeOf<T>::type;

/// Which block of the launch a text works on. On a GPU a block is a thread block, on the CPU one task of the pool.
struct Block {
  Index x, y, z;     ///< position in the grid
  Index nx, ny, nz;  ///< size of the grid
  char* scratch;     ///< CPU: memory of the running thread for tiles, 64-byte aligned; GPU: dynamic shared memory
};

/// T without reference and const.
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
EFLOW_FN T min_of(T a, T b) { return a < b ? a : b; }
template <class T>
EFLOW_FN T max_of(T a, T b) { return a < b ? b : a; }
EFLOW_FN Index ceil_div(Index a, Index b) { return (a + b - 1) / b; }

}  // namespace EFLOW_TEXT
