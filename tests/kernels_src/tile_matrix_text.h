#pragma once
// Checks every matrix primitive against scalar loops. It is an ordinary kernel text: the CPU runs
// it for each instruction set, an emulated GPU and a real one run its GPU form, and NVRTC compiles
// it. Results are stored to memory, where the first thread compares them.

#include "eflow/kernels_src/tile/matrix.h"
#include "eflow/tests/kernels_src/tile_matrix_cases.h"

namespace EFLOW_TEXT {

// Keeps the scalar reference loops rolled and out of line; inlining and unrolling them would take a
// compiler minutes.
#if defined(__CUDACC_RTC__)
#define EFLOW_CALLED __noinline__
#define EFLOW_ROLLED _Pragma("unroll 1")
#else
#define EFLOW_CALLED
#define EFLOW_ROLLED
#endif

#if defined(EFLOW_GPU)
EFLOW_FN bool is_first_thread() {
  return thread_index() == 0;
}
EFLOW_FN void all_threads() {
  block_barrier();
}
#else
EFLOW_FN bool is_first_thread() {
  return true;
}
EFLOW_FN void all_threads() {}
#endif

/// An array in memory.
template <class T>
struct Array {
  T* v;
  Index count;
  double operator()(Index i) const { return static_cast<double>(widen(v[i])); }
};

/// One run of a case: its block, and the memory from which it allocates arrays.
class Bench {
 public:
  Bench(const Block& block, const TileCase& args)
      : block_(block), args_(args), next_(args.memory) {}

  Arena arena() const { return Arena(block_); }

  template <class T>
  EFLOW_CALLED Array<T> array(Index count) {
    all_threads();
    T* const p = reinterpret_cast<T*>(next_);
    next_ += ceil_div(count * static_cast<Index>(sizeof(T)), 64) * 64;
    return {p, count};
  }
  template <class T>
  EFLOW_CALLED Array<T> filled(Index count, double x) {
    const Array<T> out = array<T>(count);
    if (is_first_thread()) {
      EFLOW_ROLLED
      for (Index i = 0; i < count; ++i) out.v[i] = narrow<T>(static_cast<Compute<T>>(x));
    }
    all_threads();
    return out;
  }
  /// Random numbers in [-1, 1), rounded to T.
  template <class T>
  EFLOW_CALLED Array<T> random(Index count, u32 seed) {
    const Array<T> out = array<T>(count);
    if (is_first_thread()) {
      u32 state = seed;
      EFLOW_ROLLED
      for (Index i = 0; i < count; ++i) {
        state = state * 1664525u + 1013904223u;
        const double x = static_cast<double>(state >> 8) / 8388608.0 - 1;
        out.v[i] = narrow<T>(static_cast<Compute<T>>(x));
      }
    }
    all_threads();
    return out;
  }
  /// Sums, row-major.
  template <class C, int R, int N>
  Array<C> seen(const Acc<C, R, N>& acc) {
    const Array<C> out = array<C>(R * N);
    store(View<C>{out.v, N, R, N}, acc);
    all_threads();
    return out;
  }
  template <class C, int R>
  Array<C> seen(const RowVec<C, R>& vec) {
    const Array<C> out = array<C>(R);
    store(out.v, 1, vec, R);
    all_threads();
    return out;
  }
  template <class C, int N>
  Array<C> seen(const ColVec<C, N>& vec) {
    const Array<C> out = array<C>(N);
    store(out.v, 1, vec, N);
    all_threads();
    return out;
  }

  /// Records the largest distance between got(i, j) and expected(i, j); a NaN counts as infinite.
  template <class G, class E>
  EFLOW_CALLED void check(const char* what, double limit, Index rows, Index columns, G&& got,
                          E&& expected) {
    all_threads();
    if (is_first_thread()) {
      double worst = 0, sum = 0;
      EFLOW_ROLLED
      for (Index i = 0; i < rows; ++i) {
        EFLOW_ROLLED
        for (Index j = 0; j < columns; ++j) {
          const double x = static_cast<double>(got(i, j)), y = static_cast<double>(expected(i, j));
          sum += x * static_cast<double>((7 * i + 3 * j) % 5 - 2);
          const double d = x > y ? x - y : y - x;
          if (!(d <= worst)) worst = d == d ? d : __builtin_inf();
        }
      }
      report(what, worst, limit, sum, rows * columns);
    }
    all_threads();
  }

 private:
  EFLOW_CALLED void report(const char* what, double error, double limit, double sum,
                           Index results) {
    if (*args_.count >= kTileRecords) return;
    TileRecord& record = args_.records[(*args_.count)++];
    int i = 0;
    for (; what[i] != 0 && i < 39; ++i) record.what[i] = what[i];
    record.what[i] = 0;
    record.error = error;
    record.limit = limit;
    record.sum = sum;
    record.results = results;
  }

  Block block_;
  TileCase args_;
  char* next_;
};

template <class T>
inline constexpr double kSumError = sizeof(T) == 8 ? 1e-14 : 2e-5;

template <class C, int R, int N>
EFLOW_FN void load_all(Acc<C, R, N>& acc, const Array<C>& from) {
  load(acc, View<const C>{from.v, N, R, N});
}
template <class C, int R>
EFLOW_FN void load_all(RowVec<C, R>& vec, const Array<C>& from) {
  load(vec, from.v, 1, R, C(0));
}

/// The products, with operands of which only m x k and k x n elements exist; the rest counts as 0.
template <class T, int M, int N, int K>
void products(Bench bench, Index m, Index n, Index k, Index gap = 3) {
  using C = Compute<T>;
  const auto a = bench.random<T>(M * (K + gap), 1), a_t = bench.random<T>(K * (M + gap), 2);
  const auto b = bench.random<T>(K * (N + gap), 3), b_t = bench.random<T>(N * (K + gap), 4);
  const auto z = bench.random<T>(M * N, 8);
  const auto start = bench.random<C>(M * N, 5);
  const auto x = [&](Index i, Index l) { return a(i * (K + gap) + l); };
  const auto x_t = [&](Index i, Index l) { return a_t(l * (M + gap) + i); };
  const auto y = [&](Index l, Index j) { return b(l * (N + gap) + j); };
  const auto y_t = [&](Index l, Index j) { return b_t(j * (K + gap) + l); };
  const auto check = [&](const char* what, double begin, const Array<C>& got, auto&& p, auto&& q) {
    bench.check(
        what, kSumError<C> * 4, M, N, [&](Index i, Index j) { return got(i * N + j); },
        [&](Index i, Index j) {
          double sum = begin * start(i * N + j);
          EFLOW_ROLLED
          for (Index l = 0; l < K; ++l) {
            if (i < m && j < n && l < k) sum += p(i, l) * q(l, j);
          }
          return sum;
        });
  };
  Acc<C, M, N> acc;
  {
    Arena arena = bench.arena();
    const auto left = alloc<T, M, K, Use::kLeft>(arena);
    const auto right = alloc<T, K, N, Use::kRight>(arena);
    load(left, View<const T>{a.v, K + gap, m, k});
    load(right, View<const T>{b.v, N + gap, k, n});
    load_all(acc, start);
    mma_AB(acc, left, right);
    check("mma_AB", 1, bench.seen(acc), x, y);
    load_all(acc, start);
    set_AB(acc, left, right);
    check("set_AB", 0, bench.seen(acc), x, y);
  }
  {
    Arena arena = bench.arena();
    const auto left = alloc<T, M, K, Use::kLeft>(arena);
    const auto right_t = alloc<T, N, K, Use::kRightT>(arena);
    load(left, View<const T>{a.v, K + gap, m, k});
    load(right_t, View<const T>{b_t.v, K + gap, n, k});
    load_all(acc, start);
    mma_ABt(acc, left, right_t);
    check("mma_ABt", 1, bench.seen(acc), x, y_t);
    load_strided(left, View<const T>{a_t.v, 1, m, k}, M + gap);
    load_strided(right_t, View<const T>{b.v, 1, n, k}, N + gap);
    set_ABt(acc, left, right_t);
    check("load_strided as kLeft and kRightT", 0, bench.seen(acc), x_t, y);
  }
  {
    Arena arena = bench.arena();
    const auto left_t = alloc<T, K, M, Use::kRight>(arena);
    const auto right = alloc<T, K, N, Use::kRight>(arena);
    load(left_t, View<const T>{a_t.v, M + gap, k, m});
    load(right, View<const T>{b.v, N + gap, k, n});
    load_all(acc, start);
    mma_AtB(acc, left_t, right);
    check("mma_AtB", 1, bench.seen(acc), x_t, y);
    load_all(acc, start);
    set_AtB(acc, left_t, right);
    check("set_AtB", 0, bench.seen(acc), x_t, y);
    // The same operands, read from their transposes.
    load_strided(left_t, View<const T>{a.v, 1, k, m}, K + gap);
    load_strided(right, View<const T>{b_t.v, 1, k, n}, K + gap);
    set_AtB(acc, left_t, right);
    check("load_strided as kRight", 0, bench.seen(acc), x, y_t);
  }
  {
    Arena arena = bench.arena();
    const auto left = alloc<T, M, K, Use::kLeft>(arena);
    const auto both = alloc_both<T, N, K>(arena);
    load(left, View<const T>{a.v, K + gap, m, k});
    load(both, View<const T>{b_t.v, K + gap, n, k});
    load_all(acc, start);
    set_ABt(acc, left, both.right_t);
    check("set_ABt", 0, bench.seen(acc), x, y_t);
  }
  Arena arena = bench.arena();
  const auto across = alloc<T, M, N, Use::kLeft>(arena);
  const auto both = alloc_both<T, N, K>(arena);
  load(both, View<const T>{b_t.v, K + gap, n, k});
  load(across, View<const T>{z.v, N, m, n});
  Acc<C, M, K> product;
  set_AB(product, across, both.right);
  const auto got = bench.seen(product);
  bench.check(
      "alloc_both as kRight", kSumError<C> * 4, M, K,
      [&](Index i, Index l) { return got(i * K + l); },
      [&](Index i, Index l) {
        double sum = 0;
        EFLOW_ROLLED
        for (Index j = 0; j < n; ++j) {
          if (i < m && l < k) sum += z(i * N + j) * b_t(j * (K + gap) + l);
        }
        return sum;
      });
}

/// Sums as operands: P B and P^T B, where P is rounded at most to T.
template <class T, int M, int N, int K>
void sums_as_operands(Bench bench) {
  using C = Compute<T>;
  const auto b = bench.random<T>(K * N, 6), b_t = bench.random<T>(M * N, 7);
  const auto numbers = bench.random<C>(M * K, 8);
  const double limit = sizeof(T) == 2 ? 0.04 : kSumError<C> * 4;
  Acc<C, M, K> p;
  load_all(p, numbers);
  {
    Arena arena = bench.arena();
    const auto tile = alloc<T, M, K, Use::kLeft>(arena);
    const auto right = alloc<T, K, N, Use::kRight>(arena);
    load(right, View<const T>{b.v, N, K, N});
    Acc<C, M, N> y;
    fill(y, C(0));
    mma_AB(y, as_A(tile, p), right);
    const auto got = bench.seen(y);
    bench.check(
        "as_A", limit, M, N, [&](Index i, Index j) { return got(i * N + j); },
        [&](Index i, Index j) {
          double sum = 0;
          EFLOW_ROLLED
          for (Index l = 0; l < K; ++l) sum += numbers(i * K + l) * b(l * N + j);
          return sum;
        });
  }
  Arena arena = bench.arena();
  const auto tile = alloc<T, M, K, Use::kRight>(arena);
  const auto right = alloc<T, M, N, Use::kRight>(arena);
  load(right, View<const T>{b_t.v, N, M, N});
  Acc<C, K, N> z;
  fill(z, C(0));
  mma_AtB(z, as_At(tile, p), right);
  const auto got = bench.seen(z);
  bench.check(
      "as_At", limit, K, N, [&](Index i, Index j) { return got(i * N + j); },
      [&](Index i, Index j) {
        double sum = 0;
        EFLOW_ROLLED
        for (Index l = 0; l < M; ++l) sum += numbers(l * K + i) * b_t(l * N + j);
        return sum;
      });
}

/// Loads f32 memory into an operand of T, as the state of the linear branch is.
template <class T, int M, int N, int K>
void operands_from_sums_in_memory(Bench bench) {
  using C = Compute<T>;
  const auto a = bench.random<T>(M * K, 9);
  const auto b = bench.random<C>(K * N, 10);
  const double limit = sizeof(T) == 2 ? 0.04 : kSumError<C> * 4;
  Acc<C, M, N> y;
  {
    Arena arena = bench.arena();
    const auto left = alloc<T, M, K, Use::kLeft>(arena);
    const auto right = alloc<T, K, N, Use::kRight>(arena);
    load(left, View<const T>{a.v, K, M, K});
    load(right, View<const C>{b.v, N, K, N});
    fill(y, C(0));
    mma_AB(y, left, right);
    const auto got = bench.seen(y);
    bench.check(
        "load of sums as kRight", limit, M, N, [&](Index i, Index j) { return got(i * N + j); },
        [&](Index i, Index j) {
          double sum = 0;
          EFLOW_ROLLED
          for (Index l = 0; l < K; ++l) sum += a(i * K + l) * b(l * N + j);
          return sum;
        });
  }
  Arena arena = bench.arena();
  const auto left = alloc<T, M, K, Use::kLeft>(arena);
  const auto right_t = alloc<T, N, K, Use::kRightT>(arena);
  load(left, View<const T>{a.v, K, M, K});
  load(right_t, View<const C>{b.v, K, N, K});
  fill(y, C(0));
  mma_ABt(y, left, right_t);
  const auto got = bench.seen(y);
  bench.check(
      "load of sums as kRightT", limit, M, N, [&](Index i, Index j) { return got(i * N + j); },
      [&](Index i, Index j) {
        double sum = 0;
        EFLOW_ROLLED
        for (Index l = 0; l < K; ++l) sum += a(i * K + l) * b(j * K + l);
        return sum;
      });
}

template <class C, int R, int N>
void element_wise(Bench bench) {
  const auto a_numbers = bench.random<C>(R * N, 11), b_numbers = bench.random<C>(R * N, 12);
  const auto v_numbers = bench.random<C>(R, 13), w_numbers = bench.random<C>(R, 14);
  const auto a = [&](Index r, Index j) { return a_numbers.v[r * N + j]; };
  const auto b = [&](Index r, Index j) { return b_numbers.v[r * N + j]; };
  const auto v = [&](Index r) { return v_numbers.v[r]; };
  Acc<C, R, N> other, y;
  RowVec<C, R> rows, more;
  load_all(other, b_numbers);
  load_all(rows, v_numbers);
  load_all(more, w_numbers);
  const auto check = [&](const char* what, auto&& expected) {
    Bench here = bench;
    const auto got = here.seen(y);
    here.check(
        what, sizeof(C) == 8 ? 1e-15 : 1e-6, R, N, [&](Index r, Index j) { return got(r * N + j); },
        expected);
    load_all(y, a_numbers);
  };
  fill(y, C(3));
  check("fill", [](Index, Index) { return 3.0; });
  map(y, [](auto x) { return x * x + C(1); });
  check("map", [&](Index r, Index j) { return a(r, j) * a(r, j) + 1; });
  map(y, other, [](auto x, auto z) { return x - C(2) * z; });
  check("map of two", [&](Index r, Index j) { return a(r, j) - 2 * b(r, j); });
  map_rc(y, [](C x, Index r, Index j) { return x + static_cast<C>(r) - static_cast<C>(2 * j); });
  check("map_rc",
        [&](Index r, Index j) { return a(r, j) + static_cast<C>(r) - static_cast<C>(2 * j); });
  row_apply(y, rows, [](auto x, auto c) { return x + c; });
  check("row_apply", [&](Index r, Index j) { return a(r, j) + v(r); });
  row_apply(y, other, rows, [](auto x, auto z, auto c) { return x * (z - c); });
  check("row_apply of two", [&](Index r, Index j) { return a(r, j) * (b(r, j) - v(r)); });
  scale_rows(y, rows);
  check("scale_rows", [&](Index r, Index j) { return a(r, j) * v(r); });
  ColVec<C, N> columns;
  load(columns, b_numbers.v, 1, N - 1, C(5));
  const auto column = [&](Index j) { return j < N - 1 ? b_numbers.v[j] : C(5); };
  col_apply(y, columns, [](auto x, auto z) { return x - z; });
  check("col_apply", [&](Index r, Index j) { return a(r, j) - column(j); });
  col_apply(y, other, columns, [](auto x, auto z, auto u) { return x * (z - u); });
  check("col_apply of two", [&](Index r, Index j) { return a(r, j) * (b(r, j) - column(j)); });
  load(y, View<const C>{a_numbers.v, N, R - 1, N - 1});
  check("load of sums", [&](Index r, Index j) { return r < R - 1 && j < N - 1 ? a(r, j) : C(0); });
  mask_range(
      y, [](Index r) { return r / 2 - 1; }, [](Index r) { return r + 3; }, C(-7));
  check("mask_range",
        [&](Index r, Index j) { return j >= r / 2 - 1 && j < r + 3 ? a(r, j) : C(-7); });

  const auto got = bench.seen(vmap([](auto x, auto z) { return x * z - C(1); }, rows, more));
  bench.check(
      "vmap", 1e-6, R, 1, [&](Index r, Index) { return got(r); },
      [&](Index r, Index) { return v(r) * w_numbers.v[r] - 1; });
}

template <class C, int R, int N>
void reductions(Bench bench) {
  const auto v = bench.random<C>(R, 16);
  Acc<C, R, N> a;
  RowVec<C, R> low, rows;
  load_all(a, bench.random<C>(R * N, 15));
  load_all(rows, v);
  fill(low, C(-0.5));
  // All values are below -0.5 except one in row 0, so the start value matters.
  map_rc(a, [](C x, Index r, Index j) { return r == 0 && j != N / 2 ? x - 2 : x; });
  const auto numbers = bench.seen(a);
  const double limit = kSumError<C>;
  const auto check_rows = [&](const char* what, double most, const RowVec<C, R>& vec,
                              auto&& expected) {
    const auto got = bench.seen(vec);
    bench.check(
        what, most, R, 1, [&](Index r, Index) { return got(r); },
        [&](Index r, Index) { return expected(r); });
  };
  check_rows("row_max", 0, row_max(a, low), [&](Index r) {
    double best = -0.5;
    EFLOW_ROLLED
    for (Index j = 0; j < N; ++j) best = max_of(best, numbers(r * N + j));
    return best;
  });
  RowVec<C, R> high;
  fill(high, C(0.5));
  check_rows("row_min", 0, row_min(a, high), [&](Index r) {
    double best = 0.5;
    EFLOW_ROLLED
    for (Index j = 0; j < N; ++j) best = min_of(best, numbers(r * N + j));
    return best;
  });
  ColVec<C, N> start;
  fill(start, C(-0.5));
  const auto columns_high = bench.seen(col_max(a, start));
  bench.check(
      "col_max", 0, 1, N, [&](Index, Index j) { return columns_high(j); },
      [&](Index, Index j) {
        double best = -0.5;
        EFLOW_ROLLED
        for (Index r = 0; r < R; ++r) best = max_of(best, numbers(r * N + j));
        return best;
      });
  const auto columns_low = bench.seen(col_min(a, vmap([](auto x) { return x * 3 + C(2); }, start)));
  bench.check(
      "col_min", 0, 1, N, [&](Index, Index j) { return columns_low(j); },
      [&](Index, Index j) {
        double best = 0.5;
        EFLOW_ROLLED
        for (Index r = 0; r < R; ++r) best = min_of(best, numbers(r * N + j));
        return best;
      });
  check_rows("row_sum", limit * 4, row_sum(a), [&](Index r) {
    double sum = 0;
    EFLOW_ROLLED
    for (Index j = 0; j < N; ++j) sum += numbers(r * N + j);
    return sum;
  });
  Acc<C, R, N> b = a;
  map(b, [](auto x) { return x * C(0.5) + C(0.25); });
  check_rows("row_dot", limit * 64, row_dot(a, b), [&](Index r) {
    double sum = 0;
    EFLOW_ROLLED
    for (Index j = 0; j < N; ++j) sum += numbers(r * N + j) * (0.5 * numbers(r * N + j) + 0.25);
    return sum;
  });
  const auto strided = bench.array<C>(2 * N);
  store(strided.v, 2, col_sum(a), N);
  bench.check(
      "col_sum", limit * 4, 1, N, [&](Index, Index j) { return strided(2 * j); },
      [&](Index, Index j) {
        double sum = 0;
        EFLOW_ROLLED
        for (Index r = 0; r < R; ++r) sum += numbers(r * N + j);
        return sum;
      });

  Acc<C, R, N> e = a;
  map(e, [](auto x) { return x * C(20) - C(21); });
  map_rc(e, [](C x, Index r, Index j) { return r == 0 && j == 0 && N > 1 ? C(kMasked) : x; });
  const auto before = bench.seen(e);
  const RowVec<C, R> sums = exp2_sub(e, C(0.75), rows);
  const auto after = bench.seen(e);
  const auto power = [&](Index r, Index j) {
    return __builtin_exp2(static_cast<double>(before.v[r * N + j] * C(0.75) - v.v[r]));
  };
  bench.check(
      "exp2_sub", sizeof(C) == 8 ? 1e-14 : 4e-7, R, N,
      [&](Index r, Index j) { return after(r * N + j); }, power);
  check_rows("sums of exp2_sub", limit, sums, [&](Index r) {
    double sum = 0;
    EFLOW_ROLLED
    for (Index j = 0; j < N; ++j) sum += power(r, j);
    return sum;
  });
}

/// A NaN anywhere in a row or column, or as its start, makes every reduction over it NaN, and no
/// other.
template <class C, int R, int N>
void reductions_with_nan(Bench bench) {
  const C nan = static_cast<C>(__builtin_inff()) - static_cast<C>(__builtin_inff());
  // Row r has a NaN in column 5 r mod N if r is even; odd columns of row 0 have none.
  const auto is_nan = [](Index r, Index j) { return r % 2 == 0 && j == 5 * r % N; };
  Acc<C, R, N> a;
  RowVec<C, R> low, high;
  ColVec<C, N> c_low, c_high;
  const auto fresh = [&] {
    load_all(a, bench.random<C>(R * N, 15));
    map_rc(a, [&](C x, Index r, Index j) { return is_nan(r, j) ? nan : x; });
  };
  fresh();
  fill(low, C(kLowestMax));
  fill(high, C(-kLowestMax));
  fill(c_low, C(kLowestMax));
  fill(c_high, C(-kLowestMax));
  const auto marks = [&](const char* what, Index count, const auto& got, auto&& expected) {
    bench.check(
        what, 0, 1, count, [&](Index, Index i) { return got.v[i] != got.v[i] ? 1 : 0; },
        [&](Index, Index i) { return expected(i) ? 1 : 0; });
  };
  const auto in_row = [&](Index r) { return r % 2 == 0; };
  const auto in_column = [&](Index j) {
    for (Index r = 0; r < R; ++r) {
      if (is_nan(r, j)) return true;
    }
    return false;
  };
  marks("NaN in row_max", R, bench.seen(row_max(a, low)), in_row);
  marks("NaN in row_min", R, bench.seen(row_min(a, high)), in_row);
  marks("NaN in row_sum", R, bench.seen(row_sum(a)), in_row);
  marks("NaN in row_dot", R, bench.seen(row_dot(a, a)), in_row);
  marks("NaN in col_max", N, bench.seen(col_max(a, c_low)), in_column);
  marks("NaN in col_min", N, bench.seen(col_min(a, c_high)), in_column);
  marks("NaN in col_sum", N, bench.seen(col_sum(a)), in_column);
  marks("NaN in col_dot", N, bench.seen(col_dot(a, a)), in_column);
  RowVec<C, R> zero;
  fill(zero, C(0));
  marks("NaN in the sums of exp2_sub", R, bench.seen(exp2_sub(a, C(-1), zero)), in_row);
  marks("NaN in exp2_sub", R * N, bench.seen(a), [&](Index i) { return is_nan(i / N, i % N); });
  fresh();
  fill(low, nan);
  fill(c_low, nan);
  marks("NaN as start of row_max", R, bench.seen(row_max(a, low)), [](Index) { return true; });
  marks("NaN as start of row_min", R, bench.seen(row_min(a, low)), [](Index) { return true; });
  marks("NaN as start of col_max", N, bench.seen(col_max(a, c_low)), [](Index) { return true; });
}

template <class C, int R, int N>
void exponentials_by_column(Bench bench) {
  const auto numbers = bench.random<C>(R * N, 18), v = bench.random<C>(N, 19);
  Acc<C, R, N> e;
  ColVec<C, N> columns;
  load_all(e, numbers);
  load(columns, v.v, 1, N, C(0));
  map(e, [](auto x) { return x * C(20) - C(21); });
  const auto before = bench.seen(e);
  exp2_sub(e, C(0.75), columns);
  const auto after = bench.seen(e);
  bench.check(
      "exp2_sub by column", sizeof(C) == 8 ? 1e-14 : 4e-7, R, N,
      [&](Index r, Index j) { return after(r * N + j); },
      [&](Index r, Index j) {
        return __builtin_exp2(static_cast<double>(before.v[r * N + j] * C(0.75) - v.v[j]));
      });
}

/// store writes exactly the view's elements; likewise for row vectors.
template <class T, int R, int N>
void stores(Bench bench, Index rows, Index columns, Index gap = 5) {
  using C = Compute<T>;
  const Index stride = N + gap;
  const auto numbers = bench.random<C>(R * N, 17);
  const auto out = bench.filled<T>((R + 1) * stride, 9);
  Acc<C, R, N> acc;
  load_all(acc, numbers);
  store(View<T>{out.v, stride, rows, columns}, acc);
  bench.check(
      "store", sizeof(T) == 2 ? 0.004 : 1e-7, R + 1, stride,
      [&](Index r, Index j) { return out(r * stride + j); },
      [&](Index r, Index j) {
        const bool inside = r < min_of<Index>(rows, R) && j < min_of<Index>(columns, N);
        return inside ? numbers(r * N + j) : 9.0;
      });
  RowVec<C, R> v;
  load(v, out.v, stride, rows, C(4));
  const auto loaded = bench.seen(v);
  bench.check(
      "RowVec load", 0, R, 1, [&](Index r, Index) { return loaded(r); },
      [&](Index r, Index) { return r < rows ? out(r * stride) : 4.0; });
  const auto back = bench.filled<T>(R, 9);
  store(back.v, 1, v, rows);
  bench.check(
      "RowVec store", 0, R, 1, [&](Index r, Index) { return back(r); },
      [&](Index r, Index) { return r < rows ? loaded(r) : 9.0; });
}

/// All together: windowed attention with a pipeline, including a row that sees no key.
template <class T, int D, int kM, int kN, int kStages>
void windowed_attention(Bench bench) {
  using C = Compute<T>;
  constexpr Index kQueries = kM - 5, kKeys = 83, kRadius = 9, kEmptyRow = 5;
  const auto q = bench.random<T>(kQueries * D, 21);
  const auto k = bench.random<T>(kKeys * D, 22), v = bench.random<T>(kKeys * D, 23);
  const auto out = bench.filled<T>(kQueries * D, 9);
  const C scale = C(0.3);
  const auto low = [](Index i) { return i == kEmptyRow ? kKeys : 2 * i - kRadius; };
  const auto high = [](Index i) { return 2 * i + kRadius + 1; };

  Arena arena = bench.arena();
  const auto q_tile = alloc<T, kM, D, Use::kLeft>(arena);
  const auto k_ring = alloc_ring<kStages, T, kN, D, Use::kRightT>(arena);
  const auto v_ring = alloc_ring<kStages, T, kN, D, Use::kRight>(arena);
  const auto p_tile = alloc<T, kM, kN, Use::kLeft>(arena);
  load(q_tile, View<const T>{q.v, D, kQueries, D});
  Acc<C, kM, D> o;
  RowVec<C, kM> m, l;
  fill(o, C(0));
  fill(m, C(kLowestMax));
  fill(l, C(0));
  const auto fetch = [&](Index n, int stage) {
    load(k_ring[stage], View<const T>{k.v + n * D, D, kKeys - n, D});
    load(v_ring[stage], View<const T>{v.v + n * D, D, kKeys - n, D});
  };
  pipeline<kStages>(0, kKeys, kN, fetch, [&](Index n, int stage) {
    Acc<C, kM, kN> s;
    fill(s, C(0));
    mma_ABt(s, q_tile, k_ring[stage]);
    mask_range(
        s, [&](Index i) { return low(i) - n; }, [&](Index i) { return min_of(high(i), kKeys) - n; },
        C(kMasked));
    const RowVec<C, kM> m_new = row_max(s, m);
    const RowVec<C, kM> rescale =
        vmap([&](auto x, auto y) { return exp2((x - y) * scale); }, m, m_new);
    const RowVec<C, kM> sums = exp2_sub(s, scale, vmap([&](auto x) { return x * scale; }, m_new));
    l = vmap([](auto x, auto r, auto s_new) { return x * r + s_new; }, l, rescale, sums);
    scale_rows(o, rescale);
    mma_AB(o, as_A(p_tile, s), v_ring[stage]);
    m = m_new;
  });
  scale_rows(o, vmap([](auto x) { return x > 0 ? C(1) / x : x * 0; }, l));
  store(View<T>{out.v, D, kQueries, D}, o);

  const auto weights = bench.array<double>(kKeys);
  bench.check(
      "windowed attention", sizeof(T) == 2 ? 0.02 : (sizeof(T) == 8 ? 1e-13 : 1e-5), kQueries, D,
      [&](Index i, Index c) { return out(i * D + c); },
      [&](Index i, Index c) {
        if (c == 0) {
          double total = 0;
          EFLOW_ROLLED
          for (Index j = 0; j < kKeys; ++j) {
            double s = 0;
            EFLOW_ROLLED
            for (Index e = 0; e < D; ++e) s += q(i * D + e) * k(j * D + e);
            weights.v[j] =
                j >= low(i) && j < high(i) ? __builtin_exp2(s * static_cast<double>(scale)) : 0;
            total += weights.v[j];
          }
          EFLOW_ROLLED
          for (Index j = 0; j < kKeys; ++j) weights.v[j] = total > 0 ? weights.v[j] / total : 0;
        }
        double y = 0;
        EFLOW_ROLLED
        for (Index j = 0; j < kKeys; ++j) y += weights.v[j] * v(j * D + c);
        return y;
      });
}

// Entries of the texts. Each is a single case, because a GPU compiler takes minutes for all at
// once.

template <class T, int kCase>
void tile_product(const Block& block, const TileCase& args) {
  const Bench bench(block, args);
  constexpr bool kWide = sizeof(T) == 8;
  if constexpr (kCase == 0) products<T, 64, 64, 64>(bench, 64, 64, 64);
  if constexpr (kCase == 1) products<T, 64, 64, 72>(bench, 50, 61, 72);
  // Rows that can be copied in 16-byte chunks.
  if constexpr (kCase == 2) products<T, 72, 64, 64>(bench, 72, 63, 64, 8);
  if constexpr (kCase == 3) products<T, 32, kWide ? 48 : 96, 128>(bench, 32, 48, 127);
  if constexpr (kCase == 4) products<T, 13, 20, 7>(bench, 13, 20, 7);
  if constexpr (kCase == 5) products<T, 13, 20, 7>(bench, 3, 2, 1);
  if constexpr (kCase == 6) products<T, 6, 48, 5>(bench, 6, 47, 4);
  if constexpr (kCase == 7)
    products<T, 128, kWide ? 40 : 136, 32>(bench, 100, kWide ? 40 : 136, 32);
  if constexpr (kCase == 8) products<T, 7, 17, 33>(bench, 7, 17, 33);
  if constexpr (kCase == 9) products<T, 16, 16, 16>(bench, 0, 16, 16);
}

template <class T, int kCase>
void tile_operand(const Block& block, const TileCase& args) {
  const Bench bench(block, args);
  if constexpr (kCase == 0) sums_as_operands<T, 64, 72, 64>(bench);
  if constexpr (kCase == 1) sums_as_operands<T, 9, 24, 21>(bench);
  if constexpr (kCase == 2) operands_from_sums_in_memory<T, 16, 72, 72>(bench);
  if constexpr (kCase == 3) operands_from_sums_in_memory<T, 5, 9, 3>(bench);
}

template <class T, int kCase>
void tile_element_wise(const Block& block, const TileCase& args) {
  using C = Compute<T>;
  const Bench bench(block, args);
  if constexpr (kCase == 0) element_wise<C, 64, 64>(bench);
  if constexpr (kCase == 1) element_wise<C, 7, 21>(bench);
  if constexpr (kCase == 2) element_wise<C, 1, 1>(bench);
}

template <class T, int kCase>
void tile_reduction(const Block& block, const TileCase& args) {
  using C = Compute<T>;
  const Bench bench(block, args);
  if constexpr (kCase == 0) reductions<C, 64, 64>(bench);
  if constexpr (kCase == 1) reductions<C, 9, 37>(bench);
  if constexpr (kCase == 2) reductions<C, 3, 3>(bench);
  if constexpr (kCase == 3) exponentials_by_column<C, 64, 64>(bench);
  if constexpr (kCase == 4) exponentials_by_column<C, 5, 21>(bench);
  if constexpr (kCase == 5) reductions_with_nan<C, 64, 64>(bench);
  if constexpr (kCase == 6) reductions_with_nan<C, 9, 37>(bench);
}

template <class T, int kCase>
void tile_store(const Block& block, const TileCase& args) {
  const Bench bench(block, args);
  if constexpr (kCase == 0) stores<T, 64, 72>(bench, 64, 72);
  if constexpr (kCase == 1) stores<T, 64, 72>(bench, 63, 71, 8);
  if constexpr (kCase == 2) stores<T, 9, 21>(bench, 5, 20);
  if constexpr (kCase == 3) stores<T, 9, 21>(bench, 0, 3);
}

template <class T, int kCase>
void tile_attention(const Block& block, const TileCase& args) {
  const Bench bench(block, args);
  if constexpr (kCase == 0) windowed_attention<T, 64, 32, 16, 2>(bench);
  if constexpr (kCase == 1) windowed_attention<T, 72, 32, 16, 2>(bench);
  if constexpr (kCase == 2) windowed_attention<T, 40, 80, 16, 3>(bench);
  if constexpr (kCase == 3) windowed_attention<T, 24, 144, 24, 1>(bench);
}

}  // namespace EFLOW_TEXT
