#pragma once
// Every word of the vocabulary, used once in its plainest form. An ordinary text: the CPU runs it
// for each instruction set, an emulated GPU and one that interprets PTX run its GPU form.

#include "eflow/kernels_src/random_each.h"
#include "eflow/kernels_src/tile/matrix_join.h"
#include "eflow/kernels_src/tile/reorder.h"
#include "eflow/kernels_src/tile/row.h"
#include "eflow/kernels_src/tile/runs.h"
#include "eflow/tests/kernels_src/vocabulary_words.h"

namespace EFLOW_TEXT {

#if defined(__CUDACC_RTC__)
#define EFLOW_CALLED __noinline__
#else
#define EFLOW_CALLED __attribute__((noinline))
#endif

/// An integer of a number's size.
template <int kBytes>
struct IndexOf {
  using type = i32;
};
template <>
struct IndexOf<8> {
  using type = i64;
};

#define EFLOW_WORD(name, ...)                                                                   \
  template <class T>                                                                            \
  EFLOW_CALLED void word_##name([[maybe_unused]] const Block& block, const VocabularyCase& a) { \
    using C = Compute<T>;                                                                       \
    [[maybe_unused]] const T* const x = static_cast<const T*>(a.x);                             \
    [[maybe_unused]] const T* const y = static_cast<const T*>(a.y);                             \
    [[maybe_unused]] T* const stored = static_cast<T*>(a.stored);                               \
    [[maybe_unused]] const Index n = a.count;                                                   \
    double* const out = a.out;                                                                  \
    __VA_ARGS__                                                                                 \
  }

EFLOW_WORD(load, each<C>(0, n, [&](auto i) { store(out, i, load<C>(x, i)); });)
EFLOW_WORD(store, each<C>(0, n, [&](auto i) { store(stored, i, load<C>(x, i) + load<C>(y, i)); });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(copy, each<C>(0, n, [&](auto i) { copy(stored, x, i); });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(load_strided,
           each<C>(0, n / 3, [&](auto i) { store(out, i, load_strided<C>(x, i, 3)); });)
EFLOW_WORD(store_strided,
           each<C>(0, n / 3, [&](auto i) { store_strided(stored, i, load<C>(x, i), 3); });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(load_pairs, each<C>(0, n / 2, [&](auto i) {
             const auto pair = load_pairs<C>(x, i);
             store(out, i, pair.even - pair.odd);
           });)
EFLOW_WORD(store_pairs,
           each<C>(0, n / 2,
                   [&](auto i) {
                     store_pairs<C>(stored, i, PackPair<C>{load<C>(x, i), load<C>(y, i)});
                   });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(iota, each<C>(0, 100, [&](auto i) { store(out, i, iota<C>(i)); });)
EFLOW_WORD(splat, each<C>(0, n, [&](auto i) { store(out, i, splat<C>(C(3))); });)
EFLOW_WORD(each, each<C>(5, n, [&](auto i) { store(out, i, load<C>(x, i)); });)
EFLOW_WORD(each_value, each_value<C>(
                           0, n, [&](auto i) { return load<C>(x, i); },
                           [&](auto i, auto v) { store(out, i, v + load<C>(y, i)); });)
EFLOW_WORD(each_lane, each_lane<64>([&](int l) {
             out[l] = static_cast<double>(static_cast<C>(widen(x[l])));
           });)
EFLOW_WORD(each_lane_of, each_lane_of<16>(1, 5, [&](Index i, int l) {
             out[16 * i + l] = static_cast<double>(static_cast<C>(widen(x[16 * i + l])));
           });)
EFLOW_WORD(each_cell, each_cell<C>(
                          1, 5, 2, 50, [&](Index r) { return 50 * r; }, [](Index& at) { at += 50; },
                          [&](Index at, auto i) { store(out + at, i, load<C>(x + at, i)); });)
EFLOW_WORD(each_row, each_row(0, 5, [&](Index r, Team team) {
             team.template each<C>(0, 50,
                                   [&](auto i) { store(out + 50 * r, i, load<C>(x + 50 * r, i)); });
           });)
EFLOW_WORD(sum_columns, sum_columns<C>(
                            0, 50, 3, [&](auto i, Index r) { return load<C>(x + 50 * r, i); },
                            [&](auto i, auto v) { store(out, i, v); });)
EFLOW_WORD(sum_each, const C v = sum_each<C>(0, 40, [&](auto i) { return load<C>(x, i); });
           out[0] = static_cast<double>(v);)
EFLOW_WORD(max_each, const C v = max_each<C>(0, n, [&](auto i) { return load<C>(x, i); });
           out[0] = static_cast<double>(v);)
EFLOW_WORD(min_each, const C v = min_each<C>(0, n, [&](auto i) { return load<C>(x, i); });
           out[0] = static_cast<double>(v);)
EFLOW_WORD(team_sum, each_row(0, 6, [&](Index r, Team team) {
             out[r] = static_cast<double>(
                 team.template sum<C>(0, 40, [&](auto i) { return load<C>(x + 50 * r, i); }));
           });)
EFLOW_WORD(team_max, each_row(0, 6, [&](Index r, Team team) {
             out[r] = static_cast<double>(
                 team.template max<C>(0, 50, [&](auto i) { return load<C>(x + 50 * r, i); }));
           });)
EFLOW_WORD(team_min, each_row(0, 6, [&](Index r, Team team) {
             out[r] = static_cast<double>(
                 team.template min<C>(0, 50, [&](auto i) { return load<C>(x + 50 * r, i); }));
           });)
EFLOW_WORD(max_pack, each<C>(0, n, [&](auto i) {
             store(out, i, max_pack<Pack<C>>(load<C>(x, i), load<C>(y, i)));
           });)
EFLOW_WORD(min_pack, each<C>(0, n, [&](auto i) {
             store(out, i, min_pack<Pack<C>>(load<C>(x, i), load<C>(y, i)));
           });)
EFLOW_WORD(abs, each<C>(0, n, [&](auto i) { store(out, i, abs<Pack<C>>(load<C>(x, i))); });)
EFLOW_WORD(compare, each<C>(0, n, [&](auto i) {
             const Pack<C> p = load<C>(x, i), q = load<C>(y, i);
             const auto m = ((p < q) & (p != 1)) | (q == 1);
             store(out, i, (m == 0) ? q : p);
           });)
EFLOW_WORD(select, each<C>(0, n, [&](auto i) {
             const Pack<C> p = load<C>(x, i), q = load<C>(y, i);
             store(out, i, select(p > q, p, q));
             store(out + n, i, select(p > q, p, C(2)));
             store(out + 2 * n, i, select(p > q, C(1), q));
             store(out + 3 * n, i, select(p > q, C(1), C(2)));
           });)
EFLOW_WORD(load_where, each<C>(0, n, [&](auto i) {
             store(out, i, load_where<C>(x, i, load<C>(y, i) > 1, C(9)));
           });)
EFLOW_WORD(store_where,
           each<C>(0, n, [&](auto i) { store_where(stored, i, load<C>(y, i) > 1, load<C>(x, i)); });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(reduce_each, const C v = reduce_each<C>(
                            0, n, C(0), [&](auto i) { return load<C>(y, i); },
                            [](auto p, auto q) { return p > q ? p : q; });
           out[0] = static_cast<double>(v);)
EFLOW_WORD(team_reduce, each_row(0, 6, [&](Index r, Team team) {
             out[r] = static_cast<double>(reduce_each<C>(
                 team, 0, 50, C(0), [&](auto i) { return load<C>(y + 50 * r, i); },
                 [](auto p, auto q) { return p > q ? p : q; }));
           });)
EFLOW_WORD(scan_each, const C v = scan_each<C>(
                          0, n, C(0), [&](auto i) { return load<C>(y, i); },
                          [](auto p, auto q) { return p > q ? p : q; },
                          [&](auto i, auto up_to) { store(out, i, up_to); });
           out[n] = static_cast<double>(v);
           const C s = scan_each<C>(
               0, 30, C(0), [&](auto i) { return load<C>(y, i); },
               [](auto p, auto q) { return p + q; },
               [&](auto i, auto up_to) { store(out + n + 1, i, up_to); });
           out[n + 31] = static_cast<double>(s);)
EFLOW_WORD(team_scan, each_row(0, 5, [&](Index r, Team team) {
             out[250 + r] = static_cast<double>(scan_each<C>(
                 team, 0, 50, C(0), [&](auto i) { return load<C>(y + 50 * r, i); },
                 [](auto p, auto q) { return p > q ? p : q; },
                 [&](auto i, auto up_to) { store(out + 50 * r, i, up_to); }));
           });)
EFLOW_WORD(keep_row, each_row(0, 6, [&](Index r, Team team) {
             auto row =
                 keep_row<C, 64>(block, team, 40, [&](auto i) { return load<C>(x + 50 * r, i); });
             out[r] = static_cast<double>(row.max());
             out[6 + r] = static_cast<double>(row.min());
             row.map_at([&](auto i, auto v) { return v + load<C>(y + 50 * r, i); });
             row.map([&](auto v) { return v + 1; });
             out[12 + r] = static_cast<double>(row.sum());
             row.each([&](auto i, auto v) { store(out + 18 + 40 * r, i, v); });
           });)

template <class C>
using IndexFor = typename IndexOf<sizeof(C)>::type;
EFLOW_WORD(each_run, constexpr int kRun = kRunOf<T>; each_run<C, kRun>(
               0, n, is_aligned(x, y, out), [&](auto i) { return load<C>(x, i) + load<C>(y, i); },
               [&](auto i, auto v) { store(out, i, v); });)
EFLOW_WORD(team_runs, constexpr int kRun = kRunOf<T>;
           each_row<kRun>(0, 5, is_aligned(x, stored) && is_whole<kRun>(48),
                          [&](Index r, auto team) {
                            const T* row = x + 48 * r;
                            out[r] = static_cast<double>(team.template sum<C>(
                                0, 32, [&](auto i) { return load<C>(row, i); }));
                            out[5 + r] = static_cast<double>(team.template max<C>(
                                0, 48, [&](auto i) { return load<C>(row, i); }));
                            team.template each_value<C>(
                                0, 48, [&](auto i) { return load<C>(row, i); },
                                [&](auto i, auto v) { store(stored + 48 * r, i, v); });
                          });
           wait_for_block();
           each<C>(0, 240, [&](auto i) { store(out + 10, i, load<C>(stored, i)); });)
EFLOW_WORD(each_cell_run, constexpr int kRun = kRunOf<T>; each_cell_run<C, kRun>(
               1, 5, 48, is_aligned(x, out) && is_whole<kRun>(48), [&](Index r) { return 48 * r; },
               [](Index& at) { at += 48; }, [&](Index at, auto i) { return load<C>(x + at, i); },
               [&](Index at, auto i, auto v) { store(out + at, i, v); });)
EFLOW_WORD(sum_columns_run, constexpr int kRun = kRunOf<T>; sum_columns_run<C, kRun>(
               0, 48, 3, is_aligned(x, out) && is_whole<kRun>(48),
               [&](auto i, Index r) { return load<C>(x + 48 * r, i); },
               [&](auto i, auto v) { store(out, i, v); });)
EFLOW_WORD(reordered, reordered<T, 512>(
                          static_cast<u32>(n),
                          [&](u32 i) {
                            return Placed<T>{static_cast<u32>(n) - 1 - i, x[i]};
                          },
                          [&](u32 at, T v) { stored[at] = v; });
           wait_for_block(); each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(cast, each<C>(0, n,
                         [&](auto i) {
                           using I = IndexFor<C>;
                           const Pack<I> whole = cast<I>(load<C>(x, i));
                           store(out, i, whole);
                           store(out + n, i, cast<C>(whole) + 1);
                         });
           out[2 * n] = static_cast<double>(cast<i32>(C(3)));)
EFLOW_WORD(gather, each<C>(0, n, [&](auto i) {
             store(out, i, gather<C>(x, i, load<IndexFor<C>>(a.index, i)));
           });)
EFLOW_WORD(gather_where, each<C>(0, n, [&](auto i) {
             const auto m = load<C>(y, i) > 1;
             store(out, i, gather<C>(x, i, load<IndexFor<C>>(a.index, i), m, C(9)));
           });)
EFLOW_WORD(scatter, each<C>(0, n,
                            [&](auto i) {
                              scatter(stored, i, load<IndexFor<C>>(a.index, i), load<C>(x, i));
                            });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(stored, i)); });)
EFLOW_WORD(add_to, C* const sums = reinterpret_cast<C*>(out + n);
           each<C>(0, n, [&](auto i) { store(sums, i, load<C>(y, i)); });
           each<C>(0, n, [&](auto i) { add_to(sums, i, load<C>(x, i)); });
           each<C>(0, n, [&](auto i) { store(out, i, load<C>(sums, i)); });
           each<C>(0, n, [&](auto i) { store(sums, i, splat<C>(C(0))); });)
EFLOW_WORD(add_at, C* const sums = reinterpret_cast<C*>(out + n);
           each<C>(0, n,
                   [&](auto i) {
                     add_at(sums, i, load<IndexFor<C>>(a.index, i) / 32, load<C>(x, i));
                   });
           each<C>(0, 12, [&](auto i) { store(out, i, load<C>(sums, i)); });
           each<C>(0, n, [&](auto i) { store(sums, i, splat<C>(C(0))); });)
EFLOW_WORD(arg_max, using I = IndexFor<C>;
           const auto best = reduce_each<C>(
               0, n, both(lowest_of<C>(), highest_of<I>()),
               [&](auto i) { return both(load<C>(x, i), iota<I>(i)); },
               [](auto p, auto q) {
                 const auto take =
                     (q.first > p.first) | ((q.first == p.first) & (q.second < p.second));
                 return both(select(take, q.first, p.first), select(take, q.second, p.second));
               });
           out[0] = static_cast<double>(best.first); out[1] = static_cast<double>(best.second);)

#define EFLOW_FUNCTION(name, from)                                                        \
  EFLOW_WORD(name, each<C>(0, n, [&](auto i) { store(out, i, name(load<C>(from, i))); }); \
             out[n] = static_cast<double>(name(C(0.5)));)
EFLOW_FUNCTION(exp, x)
EFLOW_FUNCTION(exp2, x)
EFLOW_FUNCTION(log, y)
EFLOW_FUNCTION(sqrt, y)
EFLOW_FUNCTION(rsqrt, y)
EFLOW_FUNCTION(sin, x)
EFLOW_FUNCTION(cos, x)
EFLOW_FUNCTION(tanh, x)
EFLOW_FUNCTION(sigmoid, x)
EFLOW_FUNCTION(erf, x)
EFLOW_FUNCTION(floor, x)
EFLOW_FUNCTION(gelu, x)
#undef EFLOW_FUNCTION
EFLOW_WORD(gelu_grad, each<C>(0, n,
                              [&](auto i) {
                                store(out, i, gelu_grad<Pack<C>>(load<C>(x, i), load<C>(y, i)));
                              });
           out[n] = static_cast<double>(gelu_grad(C(0.5), C(2)));)
EFLOW_WORD(fma, each<C>(0, n,
                        [&](auto i) {
                          const Pack<C> p = load<C>(x, i), q = load<C>(y, i);
                          store(out, i, fma<Pack<C>>(p, q, q));
                        });
           out[n] = static_cast<double>(fma(C(0.5), C(2), C(3)));)
EFLOW_WORD(pow, each<C>(0, n,
                        [&](auto i) {
                          store(out, i, pow(load<C>(y, i), load<C>(x, i)));
                          store(out + n, i, pow(load<C>(y, i), C(1.5)));
                        });
           out[2 * n] = static_cast<double>(pow(C(0.5), C(3)));)
EFLOW_WORD(fast_divide, each<C>(0, n,
                                [&](auto i) {
                                  store(out, i, fast_divide<Pack<C>>(load<C>(x, i), load<C>(y, i)));
                                });
           out[n] = static_cast<double>(fast_divide(C(0.5), C(2)));)
EFLOW_WORD(random_each, random_each<C>(stream_key(7, 1, 2), 3, 10, n,
                                       [&](auto i, auto u) { store(out, i, u); });)
EFLOW_WORD(normal_each, normal_each<C>(stream_key(7, 1, 2), 3, 10, n,
                                       [&](auto i, auto z) { store(out, i, z); });)

// Tiles and sums.

template <class T>
struct SumsOf {
  using type = Compute<T>;
};
template <>
struct SumsOf<i8> {
  using type = i32;
};
inline constexpr int M = kVocabularyRows, N = kVocabularyColumns, K = kVocabularyDepth;

/// A word that uses tiles of T and sums of S. A is M x K, B is K x N; At, Bt are the same numbers as
/// K x M and N x K matrices.
#define EFLOW_TILE_WORD(name, ...)                                                             \
  template <class T>                                                                           \
  EFLOW_CALLED void word_##name(const Block& block, const VocabularyCase& args) {              \
    using S = typename SumsOf<T>::type;                                                        \
    [[maybe_unused]] const View<const T> A{static_cast<const T*>(args.a), K, M, K},            \
        B{static_cast<const T*>(args.b), N, K, N}, At{static_cast<const T*>(args.a), M, K, M}, \
        Bt{static_cast<const T*>(args.b), K, N, K},                                            \
        like_s{static_cast<const T*>(args.a), N, M, N};                                        \
    [[maybe_unused]] Arena arena(block);                                                       \
    [[maybe_unused]] double* const out = args.out;                                             \
    Acc<S, M, N> s;                                                                            \
    load(s, View<const T>{static_cast<const T*>(args.a), N, M, N});                            \
    const auto show = [&](const auto& sums) { store(View<double>{args.out, N, M, N}, sums); }; \
    static_cast<void>(show);                                                                   \
    __VA_ARGS__                                                                                \
  }
#define EFLOW_PRODUCT(name, left, right, a_rows, a_columns, a_use, b_rows, b_columns, b_use) \
  EFLOW_TILE_WORD(name, auto p = alloc<T, a_rows, a_columns, Use::a_use>(arena);             \
                  auto q = alloc<T, b_rows, b_columns, Use::b_use>(arena); load(p, left);    \
                  load(q, right); name(s, p, q); show(s);)
EFLOW_PRODUCT(mma_AB, A, B, M, K, kLeft, K, N, kRight)
EFLOW_PRODUCT(mma_ABt, A, Bt, M, K, kLeft, N, K, kRightT)
EFLOW_PRODUCT(mma_AtB, At, B, K, M, kRight, K, N, kRight)
EFLOW_PRODUCT(set_AB, A, B, M, K, kLeft, K, N, kRight)
EFLOW_PRODUCT(set_ABt, A, Bt, M, K, kLeft, N, K, kRightT)
EFLOW_PRODUCT(set_AtB, At, B, K, M, kRight, K, N, kRight)
#undef EFLOW_PRODUCT
EFLOW_TILE_WORD(tile_load_strided, auto p = alloc<T, M, K, Use::kLeft>(arena);
                auto q = alloc<T, K, N, Use::kRight>(arena);
                load_strided(p, View<const T>{At.p, 1, M, K}, M);
                load_strided(q, View<const T>{Bt.p, 1, K, N}, K); set_AB(s, p, q); show(s);)
EFLOW_TILE_WORD(alloc_both, auto p = alloc<T, M, K, Use::kLeft>(arena);
                auto q = alloc_both<T, N, K>(arena); load(p, A); load(q, Bt);
                mma_ABt(s, p, q.right_t); show(s); auto r = alloc<T, 16, N, Use::kLeft>(arena);
                load(r, View<const T>{A.p, N, 16, N}); Acc<S, 16, K> t; set_AB(t, r, q.right);
                store(View<double>{out + M * N, K, 16, K}, t);)
EFLOW_TILE_WORD(alloc_both_ring, auto p = alloc<T, M, K, Use::kLeft>(arena);
                auto q = alloc_both_ring<2, T, N, K>(arena); load(p, A); pipeline<2>(
                    0, 2, 1, [&](Index, int stage) { load(q[stage], Bt); },
                    [&](Index, int stage) { mma_ABt(s, p, q[stage].right_t); });
                show(s);)
EFLOW_TILE_WORD(pipeline, auto p = alloc_ring<2, T, M, 16, Use::kLeft>(arena);
                auto q = alloc_ring<2, T, 16, N, Use::kRight>(arena); pipeline<2>(
                    0, K, 16,
                    [&](Index k, int stage) {
                      load(p[stage], View<const T>{A.p + k, K, M, K - k});
                      load(q[stage], View<const T>{B.p + k * N, N, K - k, N});
                    },
                    [&](Index, int stage) { mma_AB(s, p[stage], q[stage]); });
                show(s);)
EFLOW_TILE_WORD(acc_fill, fill(s, S(3)); show(s);)
EFLOW_TILE_WORD(acc_load, load(s, View<const T>{A.p, N, M - 3, N - 5}); show(s);)
EFLOW_TILE_WORD(acc_store, store(View<double>{out, N, M - 3, N - 5}, s);)
EFLOW_TILE_WORD(map, map(s, [](auto v) { return v + v; }); show(s);)
EFLOW_TILE_WORD(map_two, Acc<S, M, N> t; fill(t, S(2));
                map(s, t, [](auto v, auto w) { return v * w + w; }); show(s);)
EFLOW_TILE_WORD(map_view,
                map(s, View<const T>{A.p, N, M - 3, N - 5}, [](auto v, auto w) { return v + w; });
                show(s);)
EFLOW_TILE_WORD(map_rc,
                map_rc(s, [](auto v, Index r,
                             Index c) { return static_cast<S>(v + static_cast<S>(100 * r + c)); });
                show(s);)

#define EFLOW_ROW_WORD(name, ...) \
  EFLOW_TILE_WORD(name, RowVec<S, M> v; load(v, A.p, K, M, S(0)); __VA_ARGS__)
#define EFLOW_COLUMN_WORD(name, ...) \
  EFLOW_TILE_WORD(name, ColVec<S, N> v; load(v, B.p, 1, N, S(0)); __VA_ARGS__)
EFLOW_TILE_WORD(as_A, auto room = alloc<T, M, N, Use::kLeft>(arena);
                auto q = alloc<T, N, K, Use::kRight>(arena); load(q, Bt); Acc<S, M, K> t;
                fill(t, S(1)); const auto left = as_A(room, s); mma_AB(t, left, q);
                store(View<double>{out, K, M, K}, t);)
EFLOW_TILE_WORD(as_At, auto room = alloc<T, M, N, Use::kRight>(arena);
                auto q = alloc<T, M, K, Use::kRight>(arena); load(q, A); Acc<S, N, K> t;
                fill(t, S(1)); const auto left = as_At(room, s); mma_AtB(t, left, q);
                store(View<double>{out, K, N, K}, t);)
EFLOW_ROW_WORD(row_apply, row_apply(s, v, [](auto p, auto w) { return p + 2 * w; }); show(s);)
EFLOW_ROW_WORD(row_apply_two, row_apply(s, s, v, [](auto p, auto q, auto w) { return p * q + w; });
               show(s);)
EFLOW_COLUMN_WORD(col_apply, col_apply(s, v, [](auto p, auto w) { return p + 2 * w; }); show(s);)
EFLOW_COLUMN_WORD(col_apply_two,
                  col_apply(s, s, v, [](auto p, auto q, auto w) { return p * q + w; });
                  show(s);)
EFLOW_ROW_WORD(scale_rows, scale_rows(s, v); show(s);)
EFLOW_ROW_WORD(row_max, const auto r = row_max(s, v); store(out, 1, r, M);)
EFLOW_ROW_WORD(row_min, const auto r = row_min(s, v); store(out, 1, r, M);)
EFLOW_TILE_WORD(row_sum, const auto r = row_sum(s); store(out, 1, r, M);)
EFLOW_TILE_WORD(row_dot, const auto r = row_dot(s, s); store(out, 1, r, M);)
EFLOW_COLUMN_WORD(col_max, const auto r = col_max(s, v); store(out, 1, r, N);)
EFLOW_COLUMN_WORD(col_min, const auto r = col_min(s, v); store(out, 1, r, N);)
EFLOW_TILE_WORD(col_sum, const auto r = col_sum(s); store(out, 1, r, N);)
EFLOW_TILE_WORD(col_dot, const auto r = col_dot(s, s); store(out, 1, r, N);)
EFLOW_TILE_WORD(exp2_sub_rows, RowVec<S, M> v; fill(v, S(-kLowestMax * 0 + 3));
                const auto r = exp2_sub(s, S(0.5), v); show(s); store(out + M * N, 1, r, M);)
EFLOW_TILE_WORD(exp2_sub_columns, ColVec<S, N> v; fill(v, S(3)); exp2_sub(s, S(0.5), v); show(s);)
EFLOW_TILE_WORD(mask_range, mask_range(
                                s, [](Index r) { return r / 8; }, [](Index r) { return 8 + r / 4; },
                                S(kMasked));
                show(s);)
EFLOW_ROW_WORD(row_vmap, const auto r = vmap([](auto p, auto q) { return p * q + 1; }, v, v);
               store(out, 1, r, M);)
EFLOW_COLUMN_WORD(col_vmap, const auto r = vmap([](auto p, auto q) { return p * q + 1; }, v, v);
                  store(out, 1, r, N);)
EFLOW_TILE_WORD(row_load, RowVec<S, M> v; load(v, A.p, K, M - 3, S(9)); store(out, 2, v, M);)
EFLOW_TILE_WORD(col_load, ColVec<S, N> v; load(v, A.p, K, N - 3, S(9)); store(out, 2, v, N);)
EFLOW_TILE_WORD(row_reduce,
                const auto r = row_reduce(s, S(0), [](auto p, auto q) { return p + q; });
                store(out, 1, r, M);)
EFLOW_TILE_WORD(col_reduce,
                const auto r = col_reduce(s, S(0), [](auto p, auto q) { return p + q; });
                store(out, 1, r, N);)
EFLOW_TILE_WORD(row_scan, row_scan(s, [](auto p, auto q) { return p + q; }); show(s);)
EFLOW_TILE_WORD(transpose, auto room = alloc<S, M, N, Use::kRight>(arena);
                const Acc<S, N, M> t = transpose(room, s); store(View<double>{out, M, N, M}, t);)

/// Runs the word of the case.
template <class T>
void vocabulary(const Block& block, const VocabularyCase& a) {
  using C = Compute<T>;
  constexpr bool kTile = kIsFloat<T> || kIsBf16<T> || kSameType<T, f16>;
  switch (static_cast<Word>(a.word)) {
#define EFLOW_RUN(name)       \
  case Word::k_##name:        \
    word_##name<T>(block, a); \
    break;
#define EFLOW_RUN_IF(condition, name)                  \
  case Word::k_##name:                                 \
    if constexpr (condition) word_##name<T>(block, a); \
    break;
#define EFLOW_RUN_INDEXED(name) EFLOW_RUN_IF(sizeof(C) >= 4, name)
#define EFLOW_RUN_FLOAT(name) EFLOW_RUN_IF(kIsFloat<C>, name)
#define EFLOW_RUN_PRODUCT(name) EFLOW_RUN_IF(kTile || (kSameType<T, i8>), name)
#define EFLOW_RUN_SUMS(name) EFLOW_RUN_IF(kTile, name)
    EFLOW_WORDS_OF_MEMORY(EFLOW_RUN)
    EFLOW_WORDS_OF_INDICES(EFLOW_RUN_INDEXED)
    EFLOW_WORDS_OF_FLOATS(EFLOW_RUN_FLOAT)
    EFLOW_WORDS_OF_PRODUCTS(EFLOW_RUN_PRODUCT)
    EFLOW_WORDS_OF_SUMS(EFLOW_RUN_SUMS)
  }
}

}  // namespace EFLOW_TEXT
