#pragma once
// Arguments of rope.h. Sizes and strides are counted in elements.

namespace eflow::args {

/// Rotates the pair (2i, 2i + 1) of each head of each row by angle i of the row's table line.
struct Rope {
  const void* x;
  void* y;          ///< row-major
  const void* cos;  ///< [table_rows, half], row-major
  const void* sin;
  double sign;     ///< 1: forward; -1: inverse rotation, the gradient
  long long rows;  ///< row r uses table line r % table_rows
  long long table_rows;
  long long heads, half;  ///< a row has heads * 2 * half elements
  long long x_stride;     ///< between rows
  long long rows_per_block;
};

}  // namespace eflow::args
