#pragma once
// Checks at compile time. Each is a struct whose arguments are the numbers in question, because a
// compiler prints them: "In instantiation of 'struct eflow_text::InnerSizes<32, 64>'".

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

/// K of the operands of a product.
template <int kLeft, int kRight>
struct InnerSizes {
  static_assert(kLeft == kRight,
                "the operands of a product differ in K: InnerSizes<K on the left, K on the right>");
};
/// Rows and columns of the sums, against those of the product.
template <int kSums, int kProduct>
struct RowsOfSums {
  static_assert(kSums == kProduct,
                "the sums and the product differ in rows: RowsOfSums<sums, product>");
};
template <int kSums, int kProduct>
struct ColumnsOfSums {
  static_assert(kSums == kProduct,
                "the sums and the product differ in columns: ColumnsOfSums<sums, product>");
};
/// The type of a tile's elements.
template <class T>
struct TileElement {
  static_assert(kIsFloat<T> || kIsBf16<T>,
                "the elements of a tile are float, double or bf16; load converts other types");
};
/// The role of an operand.
template <bool kFits>
struct RoleOfOperand {
  static_assert(kFits,
                "an operand's Use does not suit the product: AB takes kLeft and kRight, "
                "ABt kLeft and kRightT, AtB kRight and kRight (kernels_src/tile/matrix.h)");
};
/// Bytes of a tile against the most that a block has.
template <long long kBytes, long long kMost>
struct TileFits {
  static_assert(kBytes <= kMost,
                "a tile is larger than the memory of a block: TileFits<bytes, limit>");
};
/// Bytes of sums against the most that a thread's stack has for them.
template <long long kBytes, long long kMost>
struct SumsFit {
  static_assert(kBytes <= kMost,
                "sums are larger than a text's share of a thread's stack: SumsFit<bytes, limit>");
};

}  // namespace EFLOW_TEXT
