#pragma once
// Products around every edge of the CPU text's blocking, in every layout and with every epilogue.

#include <vector>

#include "eflow/tests/kernels_src/gemm_problem.hpp"

namespace eflow::test {

inline std::vector<Case> gemm_edges() {
  std::vector<Case> all;
  const std::vector<long long> edges{1, 2, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 65};
  for (const bool at : {false, true}) {
    for (const bool bt : {false, true}) {
      for (const long long e : edges) {
        all.push_back({.m = e, .n = 50, .k = 19, .a_transposed = at, .b_transposed = bt, .gap = 3});
        all.push_back({.m = 13, .n = e, .k = 20, .a_transposed = at, .b_transposed = bt});
        all.push_back(
            {.m = 11, .n = 35, .k = e, .a_transposed = at, .b_transposed = bt, .beta = 1});
      }
      // Several strips of rows and of columns, several chunks of k.
      all.push_back({.m = 205, .n = 37, .k = 65, .a_transposed = at, .b_transposed = bt});
      all.push_back(
          {.m = 9, .n = 1103, .k = 33, .a_transposed = at, .b_transposed = bt, .bias = true});
      all.push_back({.m = 18, .n = 70, .k = 1601, .a_transposed = at, .b_transposed = bt});
      all.push_back({.m = 18,
                     .n = 70,
                     .k = 1601,
                     .a_transposed = at,
                     .b_transposed = bt,
                     .bias = true,
                     .gelu = true});
      all.push_back({.m = 18,
                     .n = 21,
                     .k = 3073,
                     .a_transposed = at,
                     .b_transposed = bt,
                     .alpha = 0.5,
                     .beta = 1.5});
      all.push_back({.m = 27,
                     .n = 49,
                     .k = 40,
                     .a_transposed = at,
                     .b_transposed = bt,
                     .batch0 = 3,
                     .batch1 = 2});
    }
  }
  all.push_back({.m = 401, .n = 490, .k = 1600, .bias = true, .residual = true, .beta = 0.5});
  for (const bool gelu : {false, true}) {
    for (const bool residual : {false, true}) {
      for (const double beta : {0.0, 1.0, -0.25}) {
        all.push_back({.m = 25,
                       .n = 53,
                       .k = 30,
                       .bias = true,
                       .gelu = gelu,
                       .residual = residual,
                       .alpha = 0.75,
                       .beta = beta,
                       .gap = 1});
      }
    }
  }
  for (const long long k : {30, 1700}) {
    all.push_back({.m = 25, .n = 53, .k = k, .gelu_gradient = true, .gap = 1});
    all.push_back({.m = 9, .n = 16, .k = k, .gelu_gradient = true, .alpha = 0.5, .batch1 = 2});
  }
  for (const long long d : {64, 72, 96, 128}) {
    all.push_back(
        {.m = 64, .n = 64, .k = d, .b_transposed = true, .alpha = 0.125, .batch0 = 2, .batch1 = 3});
    all.push_back({.m = 30, .n = d, .k = 64, .batch0 = 2, .batch1 = 3, .heads = true});
    all.push_back({.m = 64, .n = 48, .k = d, .batch0 = 2, .batch1 = 3, .heads = true});
    all.push_back({.m = 20, .n = d, .k = 24, .batch0 = 3, .b_shared = true});
  }
  all.push_back({.m = 20, .n = 31, .k = 24, .residual = true, .batch1 = 4, .b_shared = true});
  for (const double beta : {0.0, 2.0})
    all.push_back({.m = 5, .n = 7, .k = 0, .bias = true, .beta = beta});
  all.push_back({.m = 0, .n = 7, .k = 3});
  all.push_back({.m = 7, .n = 0, .k = 3});
  all.push_back({.m = 7, .n = 4, .k = 3, .batch0 = 0});
  return all;
}

}  // namespace eflow::test
