#include "eflow/core/cuda/product_key.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "eflow/core/base/error.hpp"

namespace eflow::detail {
namespace {

namespace lt = jit::lt;

DType dtype_of_lt(int type) {
  return type == lt::kF64 ? DType::kF64 : type == lt::kBF16 ? DType::kBF16 : DType::kF32;
}

int epilogue_of(const LtProblem& p) {
  return ((p.epilogue & lt::kBiasBit) != 0 ? kProductBias : 0) |
         ((p.epilogue & lt::kGelu) != 0 ? kProductGelu : 0) |
         ((p.epilogue & lt::kAuxBit) != 0 ? kProductAux : 0) |
         ((p.epilogue & lt::kGeluGradient) != 0 ? kProductGeluGradient : 0);
}

/// Returns how often an alignment must be doubled to reach kLtAlignment.
int lack_of(int alignment) {
  return std::countr_zero(static_cast<unsigned>(kLtAlignment)) -
         std::countr_zero(static_cast<unsigned>(std::min(alignment, kLtAlignment)));
}

}  // namespace

jit::ShapeBucket product_shape(const LtProblem& p) {
  return {p.d.columns, p.d.rows, p.transpose_a != 0 ? p.a.rows : p.a.columns, p.d.batch};
}

// Our A is cuBLASLt's b and our B its a; see cublas_problem.hpp.
jit::KernelSpec product_spec(const LtProblem& p) {
  jit::KernelSpec spec(kProduct, {dtype_of_lt(p.a.type), dtype_of_lt(p.d.type)});
  int* const c = spec.constants;
  c[kProductATransposed] = p.transpose_b != 0;
  c[kProductBTransposed] = p.transpose_a != 0;
  c[kProductEpilogue] = epilogue_of(p);
  c[kProductExact] = p.a.type == lt::kF32 && p.compute == lt::kCompute32;
  const auto gap = [](const LtMatrix& m) { return m.ld > m.rows ? 1 : 0; };
  c[kProductGaps] = gap(p.b) | gap(p.a) << 1 | gap(p.d) << 2;
  const auto shared = [](const LtMatrix& m) { return m.batch > 1 && m.stride == 0 ? 1 : 0; };
  c[kProductShared] = shared(p.b) | shared(p.a) << 1;
  c[kProductNarrow] = lack_of(p.alignment[1]) | lack_of(p.alignment[0]) << 3 |
                      lack_of(std::min(p.alignment[2], p.alignment[3])) << 6;
  return spec;
}

std::vector<int> words_of(const jit::LtAlgo& algo) {
  static_assert(sizeof(algo.data) == kAlgoWords * sizeof(int));
  std::vector<int> words(kAlgoWords);
  std::memcpy(words.data(), algo.data, sizeof algo.data);
  return words;
}

jit::LtAlgo algo_of(const std::vector<int>& words) {
  EFLOW_ASSERT(words.size() == kAlgoWords);
  jit::LtAlgo algo;
  std::memcpy(algo.data, words.data(), sizeof algo.data);
  return algo;
}

std::vector<std::string> algo_tunables() {
  std::vector<std::string> names;
  for (int i = 0; i < kAlgoWords; ++i) names.push_back(str("word", i));
  return names;
}

}  // namespace eflow::detail
