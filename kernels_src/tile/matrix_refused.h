#pragma once
// Products whose operands do not fit together. They are less specialised than the valid forms, so
// they are chosen only when no valid form is, and then end in one static_assert that names the
// numbers (base/checks.h).

#include "eflow/kernels_src/tile/base/checks.h"

namespace EFLOW_TEXT {

/// Instantiates the checks of a product of M x K and K x N operands.
template <bool kRoles, int kLeftK, int kRightK, int kSumsM, int kLeftM, int kSumsN, int kRightN>
EFLOW_FN void refuse_product() {
  static_assert(sizeof(RoleOfOperand<kRoles>) > 0);
  static_assert(sizeof(InnerSizes<kLeftK, kRightK>) > 0);
  static_assert(sizeof(RowsOfSums<kSumsM, kLeftM>) > 0);
  static_assert(sizeof(ColumnsOfSums<kSumsN, kRightN>) > 0);
  // Sizes and roles agree, so it is the types that differ.
  static_assert(!kRoles || kLeftK != kRightK || kSumsM != kLeftM || kSumsN != kRightN,
                "the operands of a product have the same element type, and sums have its compute "
                "type: float for bf16, f16 and float, double for double, i32 for i8");
}

#define EFLOW_REFUSED(name, a_rows, a_columns, a_use, b_rows, b_columns, b_use, k_a, m_a, k_b, \
                      n_b)                                                                     \
  template <class C, int M, int N, class T, int a_rows, int a_columns, Use kA, class S,        \
            int b_rows, int b_columns, Use kB>                                                 \
  EFLOW_FN void name(Acc<C, M, N>&, STile<T, a_rows, a_columns, kA>,                           \
                     STile<S, b_rows, b_columns, kB>) {                                        \
    refuse_product<kA == a_use && kB == b_use, k_a, k_b, M, m_a, N, n_b>();                    \
  }
EFLOW_REFUSED(mma_AB, P, K, Use::kLeft, L, Q, Use::kRight, K, P, L, Q)
EFLOW_REFUSED(mma_ABt, P, K, Use::kLeft, Q, L, Use::kRightT, K, P, L, Q)
EFLOW_REFUSED(mma_AtB, K, P, Use::kRight, L, Q, Use::kRight, K, P, L, Q)
// On a GPU the overwriting forms call those above.
#if !defined(EFLOW_GPU)
EFLOW_REFUSED(set_AB, P, K, Use::kLeft, L, Q, Use::kRight, K, P, L, Q)
EFLOW_REFUSED(set_ABt, P, K, Use::kLeft, Q, L, Use::kRightT, K, P, L, Q)
EFLOW_REFUSED(set_AtB, K, P, Use::kRight, L, Q, Use::kRight, K, P, L, Q)
#endif
#undef EFLOW_REFUSED

}  // namespace EFLOW_TEXT
