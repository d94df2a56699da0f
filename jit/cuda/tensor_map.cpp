#include "eflow/jit/cuda/tensor_map.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

constexpr std::int64_t kUnit = 16, kMostSize = std::int64_t{1} << 32,
                       kStrideEnd = std::int64_t{1} << 40;
constexpr int kMostOfBox = 256;

bool can_be_mapped(const TensorBox& t) {
  const auto element = static_cast<std::int64_t>(size_of(t.dtype));
  bool fits = (t.dtype == DType::kF32 || t.dtype == DType::kBF16) &&
              reinterpret_cast<std::uintptr_t>(t.address) % kUnit == 0 &&
              t.box[0] * element % kUnit == 0;
  for (const std::int64_t size : t.sizes) fits = fits && size >= 1 && size <= kMostSize;
  for (const std::int64_t s : t.strides) fits = fits && s > 0 && s % kUnit == 0 && s < kStrideEnd;
  for (const int n : t.box) fits = fits && n >= 1 && n <= kMostOfBox;
  return fits;
}

}  // namespace

bool encode_tensor_map(const CudaContext& context, const TensorBox& t, void* map) {
  if (context.api().tensor_map_encode == nullptr || !can_be_mapped(t)) return false;
  unsigned long long sizes[5], strides[4];
  unsigned box[5];
  const unsigned steps[5] = {1, 1, 1, 1, 1};
  for (std::size_t i = 0; i < 5; ++i) {
    sizes[i] = static_cast<unsigned long long>(t.sizes[i]);
    box[i] = static_cast<unsigned>(t.box[i]);
    if (i > 0) strides[i - 1] = static_cast<unsigned long long>(t.strides[i - 1]);
  }
  const CudaContext::Current current(context);
  const int type = t.dtype == DType::kF32 ? cu::kTensorMapF32 : cu::kTensorMapBF16;
  context.check(context.api().tensor_map_encode(map, type, 5, t.address, sizes, strides, box, steps,
                                                cu::kTensorMapNoInterleave, cu::kTensorMapNoSwizzle,
                                                cu::kTensorMapL2Of128, cu::kTensorMapZeros),
                "cuTensorMapEncodeTiled",
                str("sizes ", sizes[0], " ", sizes[1], " ", sizes[2], " ", sizes[3], " ", sizes[4],
                    ", strides ", strides[0], " ", strides[1], " ", strides[2], " ", strides[3],
                    " B, box ", box[0], " ", box[1], " ", box[2]));
  return true;
}

}  // namespace eflow::jit
