#pragma once
// Reductions and scans of sums with a join of the text's own, and transposition.
//
//   RowVec<C, R> v = row_reduce(s, start, join)   join of each row's columns; start is a number, and
//   ColVec<C, N> c = col_reduce(s, start, join)   joined with x is x. join commutes
//   row_scan(s, join)                             each element becomes the join of those of its row
//                                                 up to itself, in the order of the columns
//   Acc<C, N, R> t = transpose(tile, s)           t = s^T, by way of a tile: of C, R x N, kRight
//
// transpose and col_reduce have barriers on a GPU, as col_max has.

#include "eflow/kernels_src/tile/matrix.h"
#if defined(EFLOW_GPU)
#include "eflow/kernels_src/tile/cuda/matrix_join.h"
#else
#include "eflow/kernels_src/tile/cpu/matrix_join.h"
#endif
