#pragma once
// Elements that a block reads in one order and writes in another.
//
//   staged<T, kMost>(count, take, put);
//     take(i) returns Staged<T>{at, value} for i = 0 ... count - 1, where each `at` below count occurs
//     once; then put(at, value) is called for at = 0 ... count - 1. count <= kMost. On a GPU
//     neighbouring threads take neighbouring i, and then neighbouring `at`.

#include "eflow/kernels_src/tile/pack.h"

namespace EFLOW_TEXT {

template <class T>
struct Staged {
  Index at;
  T value;
};

#if defined(EFLOW_GPU)
template <class T, int kMost, class Take, class Put>
EFLOW_FN void staged(Index count, Take&& take, Put&& put) {
  // One more place after each 32: threads that write a power of two apart use different banks.
  EFLOW_SHARED T values[kMost + kMost / 32];
  const auto place = [](Index at) { return at + (at >> 5); };
  each_in_flight<4, Lane<T>>(
      thread_index(), count, kThreads, [&](auto i) { return take(i.first); },
      [&](auto, const Staged<T>& s) { values[place(s.at)] = s.value; });
  block_barrier();
  for (Index at = thread_index(); at < count; at += kThreads) put(at, values[place(at)]);
  block_barrier();
}
#else
template <class T, int kMost, class Take, class Put>
EFLOW_FN void staged(Index count, Take&& take, Put&& put) {
  T values[kMost];
  for (Index i = 0; i < count; ++i) {
    const Staged<T> s = take(i);
    values[s.at] = s.value;
  }
  for (Index at = 0; at < count; ++at) put(at, values[at]);
}
#endif

}  // namespace EFLOW_TEXT
