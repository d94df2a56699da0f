#pragma once
// Elements that a block reads in one order and writes in another.
//
//   reordered<T, kMost>(count, take, put);
//     take(i) returns Placed<T>{at, value} for i = 0 ... count - 1, where each `at` below count occurs
//     once; then put(at, value) is called for at = 0 ... count - 1. count <= kMost. On a GPU
//     neighbouring threads take neighbouring i, and then neighbouring `at`.

#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

template <class T>
struct Placed {
  u32 at;
  T value;
};

#if defined(EFLOW_GPU)
template <class T, int kMost, class Take, class Put>
EFLOW_FN void reordered(u32 count, Take&& take, Put&& put) {
  // One more place after each 32: threads that write a power of two apart use different banks.
  EFLOW_SHARED T values[kMost + kMost / 32];
  const auto place = [](u32 at) { return at + (at >> 5); };
  const auto first = static_cast<u32>(thread_index());
  constexpr u32 kInFlight = 4;
  for (u32 i = first; i < count; i += kInFlight * kThreads) {
    Placed<T> read[kInFlight];
    EFLOW_UNROLL
    for (u32 j = 0; j < kInFlight; ++j) {
      if (i + j * kThreads < count) read[j] = take(i + j * kThreads);
    }
    EFLOW_UNROLL
    for (u32 j = 0; j < kInFlight; ++j) {
      if (i + j * kThreads < count) values[place(read[j].at)] = read[j].value;
    }
  }
  block_barrier();
  for (u32 at = first; at < count; at += kThreads) put(at, values[place(at)]);
  block_barrier();
}
#else
template <class T, int kMost, class Take, class Put>
EFLOW_FN void reordered(u32 count, Take&& take, Put&& put) {
  T values[kMost];
  for (u32 i = 0; i < count; ++i) {
    const Placed<T> s = take(i);
    values[s.at] = s.value;
  }
  for (u32 at = 0; at < count; ++at) put(at, values[at]);
}
#endif

}  // namespace EFLOW_TEXT
