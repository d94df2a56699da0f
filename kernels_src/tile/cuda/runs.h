#pragma once
// Runs on a GPU: N adjacent elements of a thread, read and written by accesses of 16 bytes, or of
// as many as N elements have. The interface is documented in tile/runs.h.

#include "eflow/kernels_src/tile/cuda/pack.h"
#include "eflow/kernels_src/tile/cuda/parts.h"

namespace EFLOW_TEXT {

inline constexpr int kAccessBytes = 16;

template <class... P>
EFLOW_FN bool is_aligned(const P*... p) {
  return ((reinterpret_cast<u64>(p) | ...) % kAccessBytes) == 0;
}
template <int N, class... I>
EFLOW_FN bool is_whole(I... n) {
  return ((n | ...) % N) == 0;
}

/// The values of N adjacent elements.
template <class C, int N>
struct Run {
  C v[N];
};
template <class C, int N>
struct LaneOfPack<Run<C, N>> {
  using type = C;
};

/// f of the elements of runs of one length; single numbers among the arguments serve all elements.
template <int N, class C>
EFLOW_FN C element_of(const Run<C, N>& run, int j) {
  return run.v[j];
}
template <int N, class C>
EFLOW_FN C element_of(C number, int) {
  return number;
}
template <int N, class F, class... V>
EFLOW_FN auto map_run(F&& f, const V&... v) {
  Run<decltype(f(element_of<N>(v, 0)...)), N> out;
  EFLOW_UNROLL
  for (int j = 0; j < N; ++j) out.v[j] = f(element_of<N>(v, j)...);
  return out;
}
/// The same number everywhere.
template <int N, class C>
EFLOW_FN Run<C, N> run_of(C number) {
  return map_run<N>([](C v) { return v; }, number);
}
template <class F, class C, int N, class... V>
EFLOW_FN auto mapped(F&& f, const Run<C, N>& first, const V&... others) {
  return map_run<N>(f, first, others...);
}
template <class F, class C, class... V>
EFLOW_FN auto mapped(F&& f, C first, V... others) {
  return f(first, others...);
}

#define EFLOW_RUN_OPERATOR(op)                                                \
  template <class C, int N>                                                   \
  EFLOW_FN Run<C, N> operator op(const Run<C, N>& a, const Run<C, N>& b) {    \
    return map_run<N>([](C x, C y) { return static_cast<C>(x op y); }, a, b); \
  }                                                                           \
  template <class C, int N>                                                   \
  EFLOW_FN Run<C, N> operator op(const Run<C, N>& a, C b) {                   \
    return map_run<N>([](C x, C y) { return static_cast<C>(x op y); }, a, b); \
  }                                                                           \
  template <class C, int N>                                                   \
  EFLOW_FN Run<C, N> operator op(C a, const Run<C, N>& b) {                   \
    return map_run<N>([](C x, C y) { return static_cast<C>(x op y); }, a, b); \
  }
EFLOW_RUN_OPERATOR(+)
EFLOW_RUN_OPERATOR(-)
EFLOW_RUN_OPERATOR(*)
EFLOW_RUN_OPERATOR(/)
#undef EFLOW_RUN_OPERATOR

template <class C, int N>
EFLOW_FN Run<C, N> exp(const Run<C, N>& x) {
  return map_run<N>([](C v) { return exp(v); }, x);
}
template <class T, class C, int N>
EFLOW_FN Run<C, N> rounded(const Run<C, N>& x) {
  return map_run<N>([](C v) { return rounded<T>(v); }, x);
}

/// The elements [first, first + N) of this thread. An address of memory plus `first` elements is a
/// multiple of the bytes that N elements take, or of 16 if they take more.
template <class C, int N>
struct RunLane {
  using Number = C;
  Index first;
  static constexpr Index count = N;
  static constexpr bool full = true;
};

/// N elements of T, as the accesses that move them.
template <class T, int N>
union RunBytes {
  static constexpr int kBytes = N * static_cast<int>(sizeof(T));
  static constexpr int kAccess = kBytes < kAccessBytes ? kBytes : kAccessBytes;
  static_assert(kAccess % 4 == 0 && kBytes % kAccess == 0);
  T elements[N];
  u32 words[kBytes / 4];
  Access<kAccess> accesses[kBytes / kAccess];
};

template <int N, class T>
EFLOW_FN RunBytes<T, N> load_bytes(const T* p) {
  RunBytes<T, N> raw;
  EFLOW_UNROLL
  for (int j = 0; j < raw.kBytes / raw.kAccess; ++j)
    raw.accesses[j] = load_access<raw.kAccess>(reinterpret_cast<const char*>(p) + j * raw.kAccess);
  return raw;
}
template <int N, class T>
EFLOW_FN void store_bytes(T* p, const RunBytes<T, N>& raw) {
  EFLOW_UNROLL
  for (int j = 0; j < raw.kBytes / raw.kAccess; ++j)
    store_access(reinterpret_cast<char*>(p) + j * raw.kAccess, raw.accesses[j]);
}

/// Element j. Small ones are cut out of their word: NVRTC 13.0 forgets the sign of bytes that come out
/// of an array.
template <class T, int N>
EFLOW_FN T element(const RunBytes<T, N>& raw, int j) {
  if constexpr (sizeof(T) >= 4) {
    return raw.elements[j];
  } else {
    constexpr int kBytes = sizeof(T);
    const u32 bits = raw.words[j * kBytes / 4] >> (8 * (j * kBytes % 4));
    if constexpr (kIsInteger<T>)
      return static_cast<T>(bits);
    else
      return T{static_cast<decltype(T::bits)>(bits)};
  }
}

template <class C, class T, class E, int N>
EFLOW_FN Run<C, N> load(const T* p, RunLane<E, N> i) {
  static_assert(kFitsLanes<C, RunLane<E, N>>);
  const RunBytes<T, N> raw = load_bytes<N>(p + i.first);
  Run<C, N> run;
  EFLOW_UNROLL
  for (int j = 0; j < N; ++j) run.v[j] = static_cast<C>(widen(element(raw, j)));
  return run;
}
template <class T, class C, class E, int N>
EFLOW_FN void store(T* p, RunLane<E, N> i, const Run<C, N>& run) {
  static_assert(kFitsLanes<C, RunLane<E, N>>);
  RunBytes<T, N> raw;
  if constexpr (kIsBf16<T> && kArch >= 80 && N % 2 == 0) {
    EFLOW_UNROLL
    for (int j = 0; j < N / 2; ++j) raw.words[j] = bf16_pair(run.v[2 * j], run.v[2 * j + 1]);
  } else {
    EFLOW_UNROLL
    for (int j = 0; j < N; ++j) raw.elements[j] = narrow<T>(run.v[j]);
  }
  store_bytes<N>(p + i.first, raw);
}
template <class T, class C, class E, int N>
EFLOW_FN void store(T* p, RunLane<E, N> i, C number) {
  store(p, i, run_of<N>(number));
}
/// stride: 1, or 0 for one number.
template <class C, class T, class E, int N>
EFLOW_FN Run<C, N> load_strided(const T* p, RunLane<E, N> i, Index stride) {
  if (stride != 0) return load<C>(p, i);
  return run_of<N>(load<C>(p, Lane<E>{0}));
}
template <class T, class C, class E, int N>
EFLOW_FN void store_strided(T* p, RunLane<E, N> i, const Run<C, N>& run, Index) {
  store(p, i, run);
}
template <class T, class E, int N>
EFLOW_FN void copy(T* to, const T* from, RunLane<E, N> i) {
  store_bytes<N>(to + i.first, load_bytes<N>(from + i.first));
}

template <class C, class T, int N>
EFLOW_FN Pair<Run<C, N>> load_pairs(const T* p, RunLane<C, N> i) {
  const Run<C, 2 * N> both = load<C>(p, RunLane<C, 2 * N>{2 * i.first});
  Pair<Run<C, N>> pairs;
  EFLOW_UNROLL
  for (int j = 0; j < N; ++j) {
    pairs.even.v[j] = both.v[2 * j];
    pairs.odd.v[j] = both.v[2 * j + 1];
  }
  return pairs;
}
template <class T, class C, int N>
EFLOW_FN void store_pairs(T* p, RunLane<C, N> i, const Pair<Run<C, N>>& pairs) {
  Run<C, 2 * N> both;
  EFLOW_UNROLL
  for (int j = 0; j < N; ++j) {
    both.v[2 * j] = pairs.even.v[j];
    both.v[2 * j + 1] = pairs.odd.v[j];
  }
  store(p, RunLane<C, 2 * N>{2 * i.first}, both);
}

/// A warp that takes runs.
template <int N>
struct RunTeam {
  static constexpr int kStep = 32 * N;

  template <class C, class F>
  EFLOW_FN void each(Index begin, Index end, F&& f) const {
    for (Index i = begin + N * lane_index(); i < end; i += kStep) f(RunLane<C, N>{i});
  }
  template <class C, class F, class Put>
  EFLOW_FN void each_value(Index begin, Index end, F&& value, Put&& put) const {
    each_in_flight<2, RunLane<C, N>>(begin + N * lane_index(), end, kStep, value, put);
  }
  template <class C, class F>
  EFLOW_FN C sum(Index begin, Index end, F&& f) const {
    return join<C>(begin, end, C(0), f, [](C a, C b) { return a + b; });
  }
  template <class C, class F>
  EFLOW_FN C max(Index begin, Index end, F&& f) const {
    return join<C>(begin, end, lowest_of<C>(), f, [](C a, C b) { return max_pack(a, b); });
  }
  template <class C, class F>
  EFLOW_FN C min(Index begin, Index end, F&& f) const {
    return join<C>(begin, end, highest_of<C>(), f, [](C a, C b) { return min_pack(a, b); });
  }

 private:
  template <class C, class F, class Join>
  EFLOW_FN static C join(Index begin, Index end, C start, F&& f, Join&& both) {
    Run<C, N> all = run_of<N>(start);
    each_in_flight<4, RunLane<C, N>>(begin + N * lane_index(), end, kStep, f,
                                     [&](auto, const Run<C, N>& v) {
                                       EFLOW_UNROLL
                                       for (int j = 0; j < N; ++j)
                                         all.v[j] = both(v.v[j], all.v[j]);
                                     });
    EFLOW_UNROLL
    for (int step = N / 2; step > 0; step /= 2) {
      EFLOW_UNROLL
      for (int j = 0; j < step; ++j) all.v[j] = both(all.v[j], all.v[j + step]);
    }
    return join_lanes(all.v[0], both);
  }
};

template <class C, int N, class F, class Put>
EFLOW_FN void sum_columns_run(Index begin, Index end, Index rows, bool aligned, F&& f, Put&& put) {
  if (!aligned) return sum_columns<C>(begin, end, rows, f, put);
  EFLOW_SHARED Run<C, N> parts[kWarps][32];
  for (Index at = begin; at < end; at += 32 * N) {
    const RunLane<C, N> i{at + N * lane_index()};
    Run<C, N> total{};
    if (i.first < end) {
      for (Index r = warp_index(); r < rows; r += kWarps) total = total + f(i, r);
    }
    parts[warp_index()][lane_index()] = total;
    block_barrier();
    if (warp_index() == 0 && i.first < end) {
      for (int w = 1; w < kWarps; ++w) total = total + parts[w][lane_index()];
      put(i, total);
    }
    block_barrier();
  }
}

template <class C, int N, class Start, class Next, class F, class Put>
EFLOW_FN void each_cell_run(Index first, Index last, Index width, bool aligned, Start&& start,
                            Next&& next, F&& value, Put&& put) {
  if (!aligned) {
    return each_cell<C>(first, last, 0, width, start, next,
                        [&](const auto& row, auto i) { put(row, i, value(row, i)); });
  }
  const Index runs = width / N;
  const Index count = (last - first) * runs;
  for (Index n = thread_index(); n < count; n += kThreads) {
    const Division at = divide(n, runs);
    const auto row = start(first + at.quotient);
    const RunLane<C, N> i{N * at.remainder};
    put(row, i, value(row, i));
  }
  block_barrier();
}

template <int N, class F>
EFLOW_FN void each_row(Index first, Index last, bool aligned, F&& f) {
  if (aligned) {
    for (Index r = first + warp_index(); r < last; r += kWarps) f(r, RunTeam<N>{});
  } else {
    each_row(first, last, f);
  }
}

template <class C, int N, class F>
EFLOW_FN void each_part(RunTeam<N>, Index parts, Index width, F&& f) {
  constexpr int kPairs = N / 2;
  for (Index i = kPairs * lane_index(); i < parts * width; i += 32 * kPairs)
    f(RunLane<C, kPairs>{i}, RunLane<C, kPairs>{divide(i, width).remainder});
}

template <class C, int N, class F, class Put>
EFLOW_FN void each_run(Index begin, Index end, bool aligned, F&& value, Put&& put) {
  Index rest = begin;
  if (aligned) {
    rest = begin + (end - begin) / N * N;
    each_in_flight<2, RunLane<C, N>>(begin + N * thread_index(), rest, N * kThreads, value, put);
  }
  each_value<C>(rest, end, value, put);
}

}  // namespace EFLOW_TEXT
