#pragma once
// Runs on the CPU: packs. The interface is documented in tile/runs.h.

#include "eflow/kernels_src/tile/cpu/pack.h"

namespace EFLOW_TEXT {

template <class... P>
EFLOW_FN bool is_aligned(const P*...) {
  return false;
}
template <int N, class... I>
EFLOW_FN bool is_whole(I...) {
  return false;
}

template <class F, class... V>
EFLOW_FN auto mapped(F&& f, V... v) {
  return f(v...);
}

template <class C, int N, class F, class Put>
EFLOW_FN void each_run(Index begin, Index end, bool, F&& value, Put&& put) {
  each<C>(begin, end, [&](auto i) { put(i, value(i)); });
}
template <class C, int N, class F, class Put>
EFLOW_FN void sum_columns_run(Index begin, Index end, Index rows, bool, F&& f, Put&& put) {
  sum_columns<C>(begin, end, rows, f, put);
}
template <class C, int N, class Start, class Next, class F, class Put>
EFLOW_FN void each_cell_run(Index first, Index last, Index width, bool, Start&& start, Next&& next,
                            F&& value, Put&& put) {
  each_cell<C>(first, last, 0, width, start, next,
               [&](const auto& row, auto i) { put(row, i, value(row, i)); });
}
template <int N, class F>
EFLOW_FN void each_row(Index first, Index last, bool, F&& f) {
  each_row(first, last, f);
}
}  // namespace EFLOW_TEXT
