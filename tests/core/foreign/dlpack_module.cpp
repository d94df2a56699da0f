// For dlpack_python.py: a tensor by address, and the sum of one that is given.
#include "eflow/core/foreign/dlpack.hpp"
#include "eflow/core/tensor/ops.hpp"

using namespace eflow;

extern "C" {

/// 2 x 3 numbers 0 .. 5 of the dtype (0: f32, 1: bf16), transposed; the address of its DLPack struct.
void* test_share(int dtype, int versioned) {
  const Tensor t = Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {2, 3});
  const Tensor typed = Tensor::empty({2, 3}, dtype == 0 ? DType::kF32 : DType::kBF16);
  typed.assign(t);
  const Tensor view = typed.view({3, 2}, {1, 3});
  if (versioned != 0) return dlpack::share<dlpack::Versioned>(view);
  return dlpack::share<dlpack::Unversioned>(view);
}

/// Doubles the tensor in place and returns the sum of what it was; it is given back.
double test_adopt(void* managed, int versioned) {
  const Tensor t = versioned != 0 ? dlpack::adopt(static_cast<dlpack::Versioned*>(managed))
                                  : dlpack::adopt(static_cast<dlpack::Unversioned*>(managed));
  const double total = sum(t, {0, 1}).item();
  t.assign(t + t);
  return total;
}
}
