// Every matrix primitive against scalar loops; compiled once for each instruction set, called by tile_matrix_test.cpp.
// Includes nothing of the standard library: an inline function instantiated here with AVX-512 could serve the whole test.

#include "kernels_src/tile_matrix_cases.h"

#include "tile/matrix.h"

namespace EFLOW_TEXT {
namespace {

alignas(64) char scratch[1 << 20];

/// Numbers in [-1, 1) that T holds exactly.
struct Numbers {
  u32 state;
  double next() {
    state = state * 1664525u + 1013904223u;
    return static_cast<double>(state >> 8) / 8388608.0 - 1;
  }
};

template <class T, int kCount>
struct Array {
  T v[kCount];
  explicit Array(u32 seed) {
    Numbers numbers{seed};
    for (T& x : v) x = narrow<T>(static_cast<Compute<T>>(numbers.next()));
  }
  double operator()(Index i) const { return static_cast<double>(widen(v[i])); }
};

/// Largest distance seen in one check, reported at its end; a NaN counts as infinite.
struct Worst {
  const TileReport& report;
  const char* what;
  double limit;
  double error = 0;
  void see(double got, double expected) {
    const double d = got > expected ? got - expected : expected - got;
    if (!(d <= error)) error = d == d ? d : __builtin_inf();
  }
  ~Worst() { report(what, error, limit); }
};

template <class T>
constexpr double kSumError = sizeof(T) == 8 ? 1e-14 : 2e-5;

template <class C, int R, int N>
void randomise(Acc<C, R, N>& acc, u32 seed) {
  Numbers numbers{seed};
  for (C& x : acc.v) x = static_cast<C>(numbers.next());
}
template <class C, int R>
void randomise(RowVec<C, R>& vec, u32 seed) {
  Numbers numbers{seed};
  for (C& x : vec.v) x = static_cast<C>(numbers.next());
}
template <class C, int R, int N>
C at(const Acc<C, R, N>& acc, Index r, Index j) {
  return acc.v[r * Acc<C, R, N>::kStride + j];
}

/// The three products, with operands of which only m x k and k x n elements exist: the rest counts as 0.
template <class T, int M, int N, int K>
void products(const TileReport& report, Index m, Index n, Index k) {
  using C = Compute<T>;
  constexpr Index kGap = 3;
  static const Array<T, M*(K + kGap)> a(1);
  static const Array<T, K*(M + kGap)> a_t(2);
  static const Array<T, K*(N + kGap)> b(3);
  static const Array<T, N*(K + kGap)> b_t(4);
  Acc<C, M, N> start;
  randomise(start, 5);
  Arena arena(Block{0, 0, 0, 1, 1, 1, scratch});
  const auto left = alloc<T, M, K, Use::kLeft>(arena);
  const auto left_t = alloc<T, K, M, Use::kRight>(arena);
  const auto right = alloc<T, K, N, Use::kRight>(arena);
  const auto right_t = alloc<T, N, K, Use::kRightT>(arena);
  load(left, View<const T>{a.v, K + kGap, m, k});
  load(left_t, View<const T>{a_t.v, M + kGap, k, m});
  load(right, View<const T>{b.v, N + kGap, k, n});
  load(right_t, View<const T>{b_t.v, K + kGap, n, k});
  const auto check = [&](const char* what, const Acc<C, M, N>& got, auto&& x, auto&& y) {
    Worst worst{report, what, kSumError<C> * 4};
    for (Index i = 0; i < M; ++i) {
      for (Index j = 0; j < N; ++j) {
        double sum = static_cast<double>(at(start, i, j));
        for (Index l = 0; l < K; ++l) {
          if (i < m && j < n && l < k) sum += x(i, l) * y(l, j);
        }
        worst.see(static_cast<double>(at(got, i, j)), sum);
      }
    }
  };
  const auto x = [&](Index i, Index l) { return a(i * (K + kGap) + l); };
  const auto x_t = [&](Index i, Index l) { return a_t(l * (M + kGap) + i); };
  const auto y = [&](Index l, Index j) { return b(l * (N + kGap) + j); };
  const auto y_t = [&](Index l, Index j) { return b_t(j * (K + kGap) + l); };
  Acc<C, M, N> acc = start;
  mma_AB(acc, left, right);
  check("mma_AB", acc, x, y);
  acc = start;
  mma_ABt(acc, left, right_t);
  check("mma_ABt", acc, x, y_t);
  acc = start;
  mma_AtB(acc, left_t, right);
  check("mma_AtB", acc, x_t, y);
  // The same products without what acc held; both layouts of one source.
  const auto both = alloc_both<T, N, K>(arena);
  load(both, View<const T>{b_t.v, K + kGap, n, k});
  fill(start, C(0));
  randomise(acc, 6);
  set_AB(acc, left, right);
  check("set_AB", acc, x, y);
  randomise(acc, 7);
  set_ABt(acc, left, both.right_t);
  check("set_ABt", acc, x, y_t);
  const auto across = alloc<T, M, N, Use::kLeft>(arena);
  static const Array<T, M * N> z(8);
  load(across, View<const T>{z.v, N, m, n});
  Acc<C, M, K> product;
  set_AB(product, across, both.right);
  Worst worst{report, "alloc_both as kRight", kSumError<C> * 4};
  for (Index i = 0; i < M; ++i) {
    for (Index l = 0; l < K; ++l) {
      double sum = 0;
      for (Index j = 0; j < n; ++j) {
        if (i < m && l < k) sum += z(i * N + j) * b_t(j * (K + kGap) + l);
      }
      worst.see(static_cast<double>(at(product, i, l)), sum);
    }
  }
}

/// Sums as operands: P B and P^T B, where P is rounded to T at most.
template <class T, int M, int N, int K>
void sums_as_operands(const TileReport& report) {
  using C = Compute<T>;
  static const Array<T, K * N> b(6);
  static const Array<T, M * N> b_t(7);
  Acc<C, M, K> p;
  randomise(p, 8);
  Arena arena(Block{0, 0, 0, 1, 1, 1, scratch});
  const auto tile = alloc<T, M, K, Use::kLeft>(arena);
  const auto tile_t = alloc<T, M, K, Use::kRight>(arena);
  const auto right = alloc<T, K, N, Use::kRight>(arena);
  const auto right_t = alloc<T, M, N, Use::kRight>(arena);
  load(right, View<const T>{b.v, N, K, N});
  load(right_t, View<const T>{b_t.v, N, M, N});
  const double limit = sizeof(T) == 2 ? 0.04 : kSumError<C> * 4;
  Acc<C, M, N> y;
  fill(y, C(0));
  mma_AB(y, as_A(tile, p), right);
  {
    Worst worst{report, "as_A", limit};
    for (Index i = 0; i < M; ++i) {
      for (Index j = 0; j < N; ++j) {
        double sum = 0;
        for (Index l = 0; l < K; ++l) sum += static_cast<double>(at(p, i, l)) * b(l * N + j);
        worst.see(static_cast<double>(at(y, i, j)), sum);
      }
    }
  }
  Acc<C, K, N> z;
  fill(z, C(0));
  mma_AtB(z, as_At(tile_t, p), right_t);
  Worst worst{report, "as_At", limit};
  for (Index i = 0; i < K; ++i) {
    for (Index j = 0; j < N; ++j) {
      double sum = 0;
      for (Index l = 0; l < M; ++l) sum += static_cast<double>(at(p, l, i)) * b_t(l * N + j);
      worst.see(static_cast<double>(at(z, i, j)), sum);
    }
  }
}

/// f32 memory into an operand of T: how the state of a linear branch is read back.
template <class T, int M, int N, int K>
void operands_from_sums_in_memory(const TileReport& report) {
  using C = Compute<T>;
  static const Array<T, M * K> a(9);
  static const Array<C, K * N> b(10);
  Arena arena(Block{0, 0, 0, 1, 1, 1, scratch});
  const auto left = alloc<T, M, K, Use::kLeft>(arena);
  const auto right = alloc<T, K, N, Use::kRight>(arena);
  const auto right_t = alloc<T, N, K, Use::kRightT>(arena);
  load(left, View<const T>{a.v, K, M, K});
  load(right, View<const C>{b.v, N, K, N});
  load(right_t, View<const C>{b.v, K, N, K});
  Acc<C, M, N> y, y_t;
  fill(y, C(0));
  fill(y_t, C(0));
  mma_AB(y, left, right);
  mma_ABt(y_t, left, right_t);
  Worst worst{report, "load of sums", sizeof(T) == 2 ? 0.04 : kSumError<C> * 4};
  for (Index i = 0; i < M; ++i) {
    for (Index j = 0; j < N; ++j) {
      double sum = 0, sum_t = 0;
      for (Index l = 0; l < K; ++l) {
        sum += a(i * K + l) * b(l * N + j);
        sum_t += a(i * K + l) * b(j * K + l);
      }
      worst.see(static_cast<double>(at(y, i, j)), sum);
      worst.see(static_cast<double>(at(y_t, i, j)), sum_t);
    }
  }
}

template <class C, int R, int N>
void element_wise(const TileReport& report) {
  Acc<C, R, N> a, b;
  RowVec<C, R> v, w;
  randomise(a, 11);
  randomise(b, 12);
  randomise(v, 13);
  randomise(w, 14);
  const auto check = [&](const char* what, const Acc<C, R, N>& got, auto&& expected) {
    Worst worst{report, what, sizeof(C) == 8 ? 1e-15 : 1e-6};
    for (Index r = 0; r < R; ++r) {
      for (Index j = 0; j < N; ++j)
        worst.see(static_cast<double>(at(got, r, j)), static_cast<double>(expected(r, j)));
    }
  };
  Acc<C, R, N> y;
  fill(y, C(3));
  check("fill", y, [](Index, Index) { return 3.0; });
  y = a;
  map(y, [](auto x) { return x * x + C(1); });
  check("map", y, [&](Index r, Index j) { return at(a, r, j) * at(a, r, j) + 1; });
  y = a;
  map(y, b, [](auto x, auto z) { return x - C(2) * z; });
  check("map of two", y, [&](Index r, Index j) { return at(a, r, j) - 2 * at(b, r, j); });
  y = a;
  map_rc(y, [](C x, Index r, Index j) { return x + static_cast<C>(r) - static_cast<C>(2 * j); });
  check("map_rc", y,
        [&](Index r, Index j) { return at(a, r, j) + static_cast<C>(r) - static_cast<C>(2 * j); });
  y = a;
  row_apply(y, v, [](auto x, auto c) { return x + c; });
  check("row_apply", y, [&](Index r, Index j) { return at(a, r, j) + v[r]; });
  y = a;
  row_apply(y, b, v, [](auto x, auto z, auto c) { return x * (z - c); });
  check("row_apply of two", y,
        [&](Index r, Index j) { return at(a, r, j) * (at(b, r, j) - v[r]); });
  y = a;
  scale_rows(y, v);
  check("scale_rows", y, [&](Index r, Index j) { return at(a, r, j) * v[r]; });
  ColVec<C, N> c;
  load(c, b.v, 1, N - 1, C(5));
  const auto column = [&](Index j) { return j < N - 1 ? b.v[j] : C(5); };
  y = a;
  col_apply(y, c, [](auto x, auto z) { return x - z; });
  check("col_apply", y, [&](Index r, Index j) { return at(a, r, j) - column(j); });
  y = a;
  col_apply(y, b, c, [](auto x, auto z, auto u) { return x * (z - u); });
  check("col_apply of two", y,
        [&](Index r, Index j) { return at(a, r, j) * (at(b, r, j) - column(j)); });
  load(y, View<const C>{a.v, a.kStride, R - 1, N - 1});
  check("load of sums", y,
        [&](Index r, Index j) { return r < R - 1 && j < N - 1 ? at(a, r, j) : C(0); });
  y = a;
  mask_range(
      y, [](Index r) { return r / 2 - 1; }, [](Index r) { return r + 3; }, C(-7));
  check("mask_range", y,
        [&](Index r, Index j) { return j >= r / 2 - 1 && j < r + 3 ? at(a, r, j) : C(-7); });

  const RowVec<C, R> sum = vmap([](auto x, auto z) { return x * z - C(1); }, v, w);
  Worst worst{report, "vmap", 1e-6};
  for (Index r = 0; r < R; ++r)
    worst.see(static_cast<double>(sum[r]), static_cast<double>(v[r] * w[r] - 1));
}

template <class C, int R, int N>
void reductions(const TileReport& report) {
  Acc<C, R, N> a;
  RowVec<C, R> low, v;
  randomise(a, 15);
  randomise(v, 16);
  fill(low, C(-0.5));
  {
    // Every value below -0.5 but one of row 0, so that the start counts.
    map_rc(a, [](C x, Index r, Index j) { return r == 0 && j != N / 2 ? x - 2 : x; });
    const RowVec<C, R> largest = row_max(a, low);
    Worst worst{report, "row_max", 0};
    for (Index r = 0; r < R; ++r) {
      C best = C(-0.5);
      for (Index j = 0; j < N; ++j) best = at(a, r, j) > best ? at(a, r, j) : best;
      worst.see(static_cast<double>(largest[r]), static_cast<double>(best));
    }
  }
  const double limit = kSumError<C>;
  {
    const RowVec<C, R> sums = row_sum(a);
    Worst worst{report, "row_sum", limit * 4};
    for (Index r = 0; r < R; ++r) {
      double sum = 0;
      for (Index j = 0; j < N; ++j) sum += static_cast<double>(at(a, r, j));
      worst.see(static_cast<double>(sums[r]), sum);
    }
  }
  {
    const Acc<C, R, N>& b = a;
    const RowVec<C, R> dots = row_dot(a, b);
    Worst worst{report, "row_dot", limit * 64};
    for (Index r = 0; r < R; ++r) {
      double sum = 0;
      for (Index j = 0; j < N; ++j)
        sum += static_cast<double>(at(a, r, j)) * static_cast<double>(at(b, r, j));
      worst.see(static_cast<double>(dots[r]), sum);
    }
  }
  {
    const ColVec<C, N> sums = col_sum(a);
    C stored[2 * N];
    store(stored, 2, sums, N);
    Worst worst{report, "col_sum", limit * 4};
    for (Index j = 0; j < N; ++j) {
      double sum = 0;
      for (Index r = 0; r < R; ++r) sum += static_cast<double>(at(a, r, j));
      worst.see(static_cast<double>(stored[2 * j]), sum);
    }
  }
  Acc<C, R, N> e = a;
  map(e, [](auto x) { return x * C(20) - C(21); });
  if constexpr (N > 1) e.v[0] = C(kMasked);
  const Acc<C, R, N> before = e;
  const RowVec<C, R> sums = exp2_sub(e, C(0.75), v);
  Worst worst{report, "exp2_sub", sizeof(C) == 8 ? 1e-14 : 4e-7};
  Worst worst_sum{report, "sums of exp2_sub", limit};
  for (Index r = 0; r < R; ++r) {
    double sum = 0;
    for (Index j = 0; j < N; ++j) {
      const double y =
          __builtin_exp2(static_cast<double>(before.v[r * e.kStride + j] * C(0.75) - v[r]));
      sum += y;
      worst.see(static_cast<double>(at(e, r, j)), y);
    }
    worst_sum.see(static_cast<double>(sums[r]), sum);
  }
}

template <class C, int R, int N>
void exponentials_by_column(const TileReport& report) {
  Acc<C, R, N> a;
  ColVec<C, N> v;
  randomise(a, 18);
  map(a, [](auto x) { return x * C(20) - C(21); });
  for (Index j = 0; j < N; ++j) v.v[j] = C(0.125) * static_cast<C>(j % 7);
  Acc<C, R, N> e = a;
  exp2_sub(e, C(0.75), v);
  Worst worst{report, "exp2_sub by column", sizeof(C) == 8 ? 1e-14 : 4e-7};
  for (Index r = 0; r < R; ++r) {
    for (Index j = 0; j < N; ++j) {
      const double y = __builtin_exp2(static_cast<double>(at(a, r, j) * C(0.75) - v[j]));
      worst.see(static_cast<double>(at(e, r, j)), y);
    }
  }
}

/// store writes what the view has and nothing beside it; the same of row vectors.
template <class T, int R, int N>
void stores(const TileReport& report, Index rows, Index columns) {
  using C = Compute<T>;
  constexpr Index kStride = N + 5;
  Acc<C, R, N> acc;
  randomise(acc, 17);
  static T out[(R + 1) * kStride];
  for (T& x : out) x = narrow<T>(C(9));
  store(View<T>{out, kStride, rows, columns}, acc);
  {
    Worst worst{report, "store", sizeof(T) == 2 ? 0.004 : 1e-7};
    for (Index r = 0; r < R + 1; ++r) {
      for (Index j = 0; j < kStride; ++j) {
        const bool inside = r < min_of<Index>(rows, R) && j < min_of<Index>(columns, N);
        worst.see(static_cast<double>(widen(out[r * kStride + j])),
                  inside ? static_cast<double>(at(acc, r, j)) : 9.0);
      }
    }
  }
  RowVec<C, R> v;
  load(v, out, kStride, rows, C(4));
  Worst worst{report, "RowVec load and store", 0};
  for (Index r = 0; r < R; ++r) {
    worst.see(static_cast<double>(v[r]),
              r < rows ? static_cast<double>(widen(out[r * kStride])) : 4.0);
  }
  T back[R];
  for (T& x : back) x = narrow<T>(C(9));
  store(back, 1, v, rows);
  for (Index r = 0; r < R; ++r) {
    worst.see(static_cast<double>(widen(back[r])), r < rows ? static_cast<double>(v[r]) : 9.0);
  }
}

/// Everything together: attention in a window with a pipeline, and a row that sees no key at all.
template <class T, int D>
void windowed_attention(const TileReport& report) {
  using C = Compute<T>;
  constexpr int kM = 32, kN = 16;
  constexpr Index kQueries = 27, kKeys = 83, kRadius = 9, kEmptyRow = 5;
  static const Array<T, kQueries * D> q(21);
  static const Array<T, kKeys * D> k(22), v(23);
  static T out[kQueries * D];
  const C scale = C(0.3);
  const auto low = [](Index i) { return i == kEmptyRow ? kKeys : 2 * i - kRadius; };
  const auto high = [](Index i) { return 2 * i + kRadius + 1; };

  Arena arena(Block{0, 0, 0, 1, 1, 1, scratch});
  const auto q_tile = alloc<T, kM, D, Use::kLeft>(arena);
  const auto k_ring = alloc_ring<2, T, kN, D, Use::kRightT>(arena);
  const auto v_ring = alloc_ring<2, T, kN, D, Use::kRight>(arena);
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
  pipeline<2>(0, kKeys, kN, fetch, [&](Index n, int stage) {
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
  store(View<T>{out, D, kQueries, D}, o);

  Worst worst{report, "windowed attention",
              sizeof(T) == 2 ? 0.02 : (sizeof(T) == 8 ? 1e-13 : 1e-5)};
  for (Index i = 0; i < kQueries; ++i) {
    double p[kKeys], total = 0;
    for (Index j = 0; j < kKeys; ++j) {
      double s = 0;
      for (Index c = 0; c < D; ++c) s += q(i * D + c) * k(j * D + c);
      p[j] = j >= low(i) && j < high(i) ? __builtin_exp2(s * static_cast<double>(scale)) : 0;
      total += p[j];
    }
    for (Index c = 0; c < D; ++c) {
      double y = 0;
      for (Index j = 0; j < kKeys; ++j) y += p[j] * v(j * D + c);
      worst.see(static_cast<double>(widen(out[i * D + c])), total > 0 ? y / total : 0);
    }
  }
}

template <class T>
void of_type(const TileReport& report) {
  using C = Compute<T>;
  products<T, 64, 64, 64>(report, 64, 64, 64);
  products<T, 64, 64, 72>(report, 50, 61, 72);
  products<T, 32, 96, 128>(report, 32, 96, 127);
  products<T, 13, 20, 7>(report, 13, 20, 7);
  products<T, 13, 20, 7>(report, 3, 2, 1);
  products<T, 6, 48, 5>(report, 6, 47, 4);
  products<T, 7, 17, 33>(report, 7, 17, 33);
  products<T, 16, 16, 16>(report, 0, 16, 16);
  sums_as_operands<T, 64, 72, 64>(report);
  sums_as_operands<T, 9, 24, 21>(report);
  operands_from_sums_in_memory<T, 16, 72, 72>(report);
  operands_from_sums_in_memory<T, 5, 9, 3>(report);
  element_wise<C, 64, 64>(report);
  element_wise<C, 7, 21>(report);
  element_wise<C, 1, 1>(report);
  reductions<C, 64, 64>(report);
  reductions<C, 9, 37>(report);
  reductions<C, 3, 3>(report);
  exponentials_by_column<C, 64, 64>(report);
  exponentials_by_column<C, 5, 21>(report);
  stores<T, 64, 72>(report, 64, 72);
  stores<T, 9, 21>(report, 5, 20);
  stores<T, 9, 21>(report, 0, 3);
  windowed_attention<T, 64>(report);
  windowed_attention<T, 72>(report);
}

}  // namespace

void tile_matrix_cases(const TileReport& report) {
  of_type<float>(report);
  of_type<double>(report);
  of_type<bf16>(report);
}

}  // namespace EFLOW_TEXT
