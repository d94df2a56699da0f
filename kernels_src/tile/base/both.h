#pragma once
// Both: two values that a reduction or a scan carries together, for example a maximum and its index.
// Each is a number, a pack or again a Both.

#include "eflow/kernels_src/tile/base/types.h"

namespace EFLOW_TEXT {

template <class A, class B>
struct Both {
  A first;
  B second;
};
template <class A, class B>
EFLOW_FN Both<A, B> both(A first, B second) {
  return {first, second};
}
template <class S>
inline constexpr bool kIsBoth = false;
template <class A, class B>
inline constexpr bool kIsBoth<Both<A, B>> = true;

}  // namespace EFLOW_TEXT
