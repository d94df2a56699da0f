#pragma once
// y[i] = x[0] + ... + x[i] of each row. A block scans one row.
#include "eflow/kernels_src/tile/scan.h"

namespace EFLOW_TEXT {

template <class T>
struct Cumsum {
  const T* x;
  T* y;
  Index width;
};

/// Grid: rows.
template <class T>
void cumsum(const Block& block, const Cumsum<T>& a) {
  using C = Compute<T>;
  const T* const x = a.x + block.x * a.width;
  T* const y = a.y + block.x * a.width;
  scan_each<C>(
      0, a.width, C(0), [&](auto i) { return load<C>(x, i); }, [](auto p, auto q) { return p + q; },
      [&](auto i, auto sum) { store(y, i, sum); });
}

}  // namespace EFLOW_TEXT
