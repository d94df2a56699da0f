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
  static_assert(kIsFloat<T> || kIsBf16<T> || kSameType<T, f16> || kSameType<T, i8>,
                "the elements of a tile are float, double, bf16, f16 or i8; load converts other "
                "types, and bf16 holds every fp8 number");
};
/// Bytes of a number in each<C> against those of a number that is loaded or stored there: packs of
/// both must have the same number of elements.
template <int kEach, int kUsed>
struct LanesOfPack {
  static_assert(kEach == kUsed,
                "the packs of a call of each<C> all have C's number of elements, so their numbers "
                "have C's size: LanesOfPack<bytes of C, bytes of the number>");
};
/// A number that atomic additions exist for.
template <class T>
struct AtomicNumber {
  static_assert(kIsFloat<T> || (kIsInteger<T> && sizeof(T) >= 4),
                "add_to and add_at take float, double and integers of 32 or 64 bits");
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
