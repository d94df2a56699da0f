#pragma once
// Matrices: the two-dimensional half of the tile vocabulary. A text moves tiles of fixed shape between memory, operands and
// accumulators and never says how; on the CPU a block is one thread, its tiles lie in the block's scratch.
//
//   Arena arena(block);                                  take tiles before any loop
//   auto q = alloc<T, 64, 128, Use::kLeft>(arena);       an operand; Use says where in a product it will stand
//   auto k = alloc_ring<2, T, 64, 128, Use::kRightT>(arena);   one for each stage of a pipeline: k[stage]
//   load(q, View<const T>{p, row_stride, rows, columns});      what lies beyond rows x columns becomes 0
//   auto kv = alloc_both<T, 64, 128>(arena), alloc_both_ring<2, T, 64, 128>(arena)   one source that stands in two products:
//     load(kv, view), kv.right_t is it as kRightT, kv.right as kRight. On a GPU both are the same memory.
//   Acc<C, 64, 64> s;  fill(s, 0), load(s, view)         sums, in f32 or f64; beyond the view 0
//   mma_AB(s, a, b)   s += A B      A kLeft  [M, K]   B kRight  [K, N]
//   mma_ABt(s, a, b)  s += A B^T    A kLeft  [M, K]   B kRightT [N, K]
//   mma_AtB(s, a, b)  s += A^T B    A kRight [K, M]   B kRight  [K, N]
//   set_AB, set_ABt(s, a, b)   the same products in place of what s held
//   as_A(tile, s), as_At(tile, s)   the sums as operand A of AB (tile kLeft) or of AtB (tile kRight)
//   map(s, f), map(s, t, f)         f(x), f(x, y) on packs      map_rc(s, f)   f(x, row, column), one by one: edges only
//   map(s, view, f)                 the same with numbers from memory; what lies beyond the view stays
//   row_apply(s, v, f), row_apply(s, t, v, f)   f(x, v_row), f(x, y, v_row)      scale_rows(s, v)
//   row_max(s, v), row_sum(s)       of each row; row_max starts from v
//   col_apply(s, c, f), col_apply(s, t, c, f)   the same with a number for each column, ColVec<C, N> c
//   row_dot(s, t), col_dot(s, t)    RowVec, ColVec of sums over s t      col_sum(s)   ColVec of sums over the rows of s
//   exp2_sub(s, scale, v)           s = 2^(scale s - v_row) for exponents <= about 0; returns the sums of the rows
//   exp2_sub(s, scale, c)           s = 2^(scale s - c_column), returns nothing
//   mask_range(s, low, high, x)     x in each row's columns outside [low(row), high(row))
//   RowVec<C, R> v; fill, vmap(f, v...), load(v, p, stride, rows, rest), store(p, stride, v, rows)
//   ColVec<C, N> c; load(c, p, stride, columns, rest), store(p, stride, c, columns)
//   store(View<T>{p, row_stride, rows, columns}, s)
//   pipeline<stages>(begin, end, step, load, compute)    load(i, stage) runs ahead of compute(i, stage); a ring's tiles
//     are loaded and used nowhere else
//   load(ring[stage], MappedView<const T>{view, map, first, head, sample})   from a view of which there is a tensor map
//
// All threads of a block run a text together and hold their parts of Acc, RowVec and ColVec: no element of these by its
// index, no primitive in a branch that only some threads take.
//
// A masked score is kMasked and a running maximum starts at kLowestMax, which lies above it: so a row with every score
// masked has maximum kLowestMax and its exponentials and their sum are exactly 0.

#include "tile/pack.h"
#if defined(EFLOW_GPU)
#include "tile/matrix_rows_cuda.h"
#else
#include "tile/matrix_rows_cpu.h"
#endif
#include "tile/matrix_mapped.h"
