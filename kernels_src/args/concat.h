#pragma once
// Arguments of concat.h. Sizes and strides are counted in elements.

namespace eflow::args {

inline constexpr int kMaxConcatParts = 8;

/// Copies parts side by side into the rows of y: row r of part n, `width` elements, goes to column
/// `begin` of row r of y.
struct Concat {
  struct Part {
    const void* x;
    long long width, begin;
    long long stride;  ///< between rows of x
  };
  void* y;
  Part parts[kMaxConcatParts];
  long long rows;
  long long y_stride;  ///< between rows
  long long rows_per_block;
};

}  // namespace eflow::args
