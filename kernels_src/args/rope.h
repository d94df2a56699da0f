#pragma once
// Arguments of rope.h. Sizes and strides are counted in elements.

namespace eflow::args {

/// The pairs (2i, 2i + 1) of each head of each row, turned by the angle i of the row's line in the tables.
struct Rope {
  const void* x;
  void* y;          ///< row-major
  const void* cos;  ///< [table_rows, half], row-major
  const void* sin;
  double sign;     ///< 1 turns forwards, -1 back
  long long rows;  ///< row r uses line r % table_rows
  long long table_rows;
  long long heads, half;  ///< a row is heads times 2 half elements
  long long x_stride;     ///< from row to row
  long long rows_per_block;
};

}  // namespace eflow::args
