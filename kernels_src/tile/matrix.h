#pragma once
// Matrices: the two-dimensional half of the tile vocabulary. A text moves tiles of fixed shape
// between memory, operands and accumulators, and never says how. On the CPU a block is one thread
// and its tiles are in the block's scratch memory; on a GPU they are in shared memory and
// registers.
//
// Layouts: cpu/matrix_tile.h (CPU operands and sums), cuda/matrix_tile.h (shared memory),
// cuda/matrix_sums.h (registers), cuda/instructions.h (mma.sync), cuda/warpgroup.h (wgmma).
//
// Operands
//   Arena arena(block);                              allocate all tiles before the loops
//   auto q = alloc<T, 64, 128, Use::kLeft>(arena);   an operand; Use is its role in a product
//   auto k = alloc_ring<2, T, 64, 128, Use::kRightT>(arena);
//                                                    one tile per pipeline stage: k[stage]
//   load(q, View<const T>{p, row_stride, rows, columns});
//                                                    elements beyond rows x columns become 0
//   load_strided(q, view, column_stride)   the same with columns column_stride apart
//   auto kv = alloc_both<T, 64, 128>(arena);         one source, two roles: after load(kv, view)
//                                                    kv.right_t is kRightT, kv.right is kRight
//                                                    (one memory on a GPU); also alloc_both_ring
//
// Products
//   Acc<C, 64, 64> s;  fill(s, 0), load(s, view)     sums, f32 or f64; 0 beyond the view
//   mma_AB(s, a, b)   s += A B      A kLeft  [M, K]   B kRight  [K, N]
//   mma_ABt(s, a, b)  s += A B^T    A kLeft  [M, K]   B kRightT [N, K]
//   mma_AtB(s, a, b)  s += A^T B    A kRight [K, M]   B kRight  [K, N]
//   set_AB, set_ABt, set_AtB(s, a, b)   the same, overwriting s
//   as_A(tile, s), as_At(tile, s)   s as operand A of AB (tile kLeft) or of AtB (tile kRight)
//
// Operations on sums
//   map(s, f), map(s, t, f)         f(x), f(x, y) on packs
//   map(s, view, f)                 y from memory; elements beyond the view are unchanged
//   map_rc(s, f)                    f(x, row, column), element by element: for edges only
//   row_apply(s, v, f), row_apply(s, t, v, f)   f(x, v_row), f(x, y, v_row)
//   col_apply(s, c, f), col_apply(s, t, c, f)   f(x, c_column), f(x, y, c_column)
//   scale_rows(s, v)                s *= v_row
//   row_max(s, v), row_min(s, v)    RowVec; start from v
//   row_sum(s)                      RowVec
//   col_max(s, c), col_min(s, c)    ColVec; start from c
//   row_dot(s, t), col_dot(s, t)    RowVec, ColVec of sums over s t
//   col_sum(s)                      ColVec of sums over the rows of s
//   exp2_sub(s, scale, v)           s = 2^(scale s - v_row), exponents <= ~0; returns the row sums
//   exp2_sub(s, scale, c)           s = 2^(scale s - c_column); returns nothing
//   mask_range(s, low, high, x)     x in each row's columns outside [low(row), high(row))
//   RowVec<C, R> v; fill, vmap(f, v...), load(v, p, stride, rows, rest), store(p, stride, v, rows)
//   ColVec<C, N> c; fill, vmap(f, c...), load(c, p, stride, columns, rest),
//                                   store(p, stride, c, columns)
//   store(View<T>{p, row_stride, rows, columns}, s)
//
// Pipelines
//   pipeline<stages>(begin, end, step, load, compute)
//                                   load(i, stage) runs ahead of compute(i, stage); ring tiles are
//                                   loaded in load and used in compute, nowhere else
//   load(ring[stage], MappedView<const T>{view, map, first, head, sample})
//                                   loads a view that has a tensor map
//
// Threads and barriers. On a GPU all threads of a block run a text together, each with its share of
// every Acc, RowVec and ColVec. A text therefore never indexes their elements and never calls a
// primitive in a branch that only some threads take. The primitives call the barriers; a text calls
// none:
//   load(tile, view)                before (the old contents may still be in use) and after
//   pipeline                        before the loop and once per step, twice with a single stage
//   store                           after, so the block may read what was stored
//   as_At, col_max, col_min, col_sum, col_dot, and as_A unless T is bf16 or f16 on sm_80 on
//                                   before and after their trip through shared memory
// All other primitives are free of barriers.
//
// NaN. Every reduction (row_max, row_min, col_max, col_min, row_sum, col_sum, row_dot, col_dot,
// exp2_sub) is NaN if one of the numbers that it joins, or its start, is NaN, on every target.
// exp2_sub of NaN is NaN. Which NaN is not defined.
//
// Memory. The tiles of a block fit its scratch memory (CPU: 4 MiB, otherwise the launch is refused;
// GPU: a block's shared memory, otherwise prepare() refuses the kernel; a launch has what the text
// allocates at most, so tiles are allocated outside of loops). Its sums fit a thread's stack
// (CPU: 2 MiB, otherwise the text does not compile) or its registers (GPU; more would spill). Tiles
// hold float, double, bf16, f16 or i8; load converts other types to these. Sums are float, double for
// tiles of double, and i32 for tiles of i8.
//
// matrix_join.h adds reductions and scans with a join of the text's own, and transposition.
//
// Masking. A masked score is kMasked, and a running maximum starts at kLowestMax > kMasked. A row
// whose scores are all masked thus keeps the maximum kLowestMax, and its exponentials and their sum
// are exactly 0.

#include "eflow/kernels_src/tile/pack.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/matrix_mma.h"
#include "eflow/kernels_src/tile/cuda/matrix_rows.h"
#else
#include "eflow/kernels_src/tile/cpu/matrix_rows.h"
#endif
#include "eflow/kernels_src/tile/matrix_mapped.h"
#include "eflow/kernels_src/tile/matrix_refused.h"
