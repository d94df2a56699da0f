#pragma once
// Arguments of gemm.h. Sizes and strides are counted in elements.

namespace eflow::args {

/// c[p, q][i, j] = epilogue(alpha sum_l a[p, q][i, l] b[p, q][l, j] + beta c[p, q][i, j]) over two batch dimensions p, q.
struct Gemm {
  const void* a;
  const void* b;
  void* c;
  const void* bias;  ///< [n] or nullptr, of the type of a and b
  void* aux;         ///< what the epilogue stores beside c (GELU: its argument), laid out like c; or nullptr
  double alpha, beta;
  long long m, n, k;
  long long a_rs, a_cs;  ///< from one row, one column to the next
  long long b_rs, b_cs;
  long long c_rs;        ///< columns of c are neighbours
  long long batch[2];
  long long a_bs[2], b_bs[2], c_bs[2];
};

}  // namespace eflow::args
