#include "eflow/core/cuda/cublas_problem.hpp"

#include <algorithm>

#include "eflow/jit/cuda/cublas_api.hpp"

namespace eflow::detail {
namespace {

namespace lt = jit::lt;

int type_of(DType dtype) {
  return dtype == DType::kF64 ? lt::kF64 : dtype == DType::kBF16 ? lt::kBF16 : lt::kF32;
}

/// An operand with `free` rows or columns (m or n) and `k` terms.
struct Operand {
  LtMatrix matrix;
  bool k_first;  ///< elements along k are adjacent in memory
};

/// Returns nullopt if neither axis is contiguous, or if rows overlap.
std::optional<Operand> operand(std::int64_t free, std::int64_t k, std::int64_t free_stride,
                               std::int64_t k_stride) {
  const bool free_runs = free == 1 || free_stride == 1, k_runs = k == 1 || k_stride == 1;
  if (free_runs && (k == 1 || k_stride >= free))
    return Operand{{.rows = free, .columns = k, .ld = k == 1 ? free : k_stride}, false};
  if (k_runs && (free == 1 || free_stride >= k))
    return Operand{{.rows = k, .columns = free, .ld = free == 1 ? k : free_stride}, true};
  return std::nullopt;
}

/// Returns the largest power of two, at most 256, that divides the address.
int alignment_of(const void* p) {
  const auto address = reinterpret_cast<std::uintptr_t>(p);
  return static_cast<int>(std::min<std::uintptr_t>(256, address & (~address + 1)));
}

/// Returns the cuBLASLt epilogue of the product, or 0 if there is none.
int epilogue_of(const args::Gemm& g, DType in, DType out) {
  if (g.gelu == args::kNoGelu) {
    if (g.aux != nullptr) return 0;
    return g.bias != nullptr ? lt::kBiasBit : lt::kNoEpilogue;
  }
  const bool aux_fits = g.aux == nullptr || (g.c_rs % 8 == 0 && alignment_of(g.aux) >= 16);
  if (g.residual != nullptr || !aux_fits || in != out) return 0;
  if (g.gelu == args::kGeluGradient) return g.bias != nullptr ? 0 : lt::kGeluGradient | lt::kAuxBit;
  return lt::kGelu | (g.bias != nullptr ? lt::kBiasBit : 0) | (g.aux != nullptr ? lt::kAuxBit : 0);
}

/// Sets dtype and batch of a matrix.
void batch(LtMatrix& m, DType dtype, const args::Gemm& g, int inner,
           const long long (&strides)[2]) {
  m.type = type_of(dtype);
  m.batch = static_cast<int>(g.batch[inner]);
  m.stride = m.batch == 1 ? 0 : strides[inner];
}

}  // namespace

std::optional<LtProblem> lt_problem(const args::Gemm& g, DType in, DType out, int inner,
                                    bool tf32) {
  LtProblem p;
  p.epilogue = epilogue_of(g, in, out);
  const bool two_added = g.residual != nullptr && g.beta != 0;
  if (p.epilogue == 0 || two_added || g.k == 0) return std::nullopt;
  const auto left = operand(g.n, g.k, g.b_cs, g.b_rs), right = operand(g.m, g.k, g.a_rs, g.a_cs);
  const std::int64_t added_ld = g.residual != nullptr ? g.residual_rs : g.c_rs;
  const bool rows_apart = g.m == 1 || (g.c_rs >= g.n && added_ld >= g.n);
  if (!left || !right || !rows_apart) return std::nullopt;
  p.a = left->matrix;
  p.b = right->matrix;
  p.transpose_a = left->k_first ? lt::kTransposed : 0;
  p.transpose_b = right->k_first ? 0 : lt::kTransposed;
  p.d = {.rows = g.n, .columns = g.m, .ld = std::max<std::int64_t>(g.c_rs, g.n)};
  p.c = p.d;
  p.c.ld = std::max<std::int64_t>(added_ld, g.n);
  batch(p.a, in, g, inner, g.b_bs);
  batch(p.b, in, g, inner, g.a_bs);
  batch(p.c, out, g, inner, g.residual != nullptr ? g.residual_bs : g.c_bs);
  batch(p.d, out, g, inner, g.c_bs);
  p.scale = in == DType::kF64 ? lt::kF64 : lt::kF32;
  p.compute = in == DType::kF64           ? lt::kCompute64
              : in == DType::kF32 && tf32 ? lt::kComputeTf32
                                          : lt::kCompute32;
  const void* const added = g.residual != nullptr ? g.residual : g.c;
  p.alignment[0] = alignment_of(g.b);
  p.alignment[1] = alignment_of(g.a);
  p.alignment[2] = alignment_of(added);
  p.alignment[3] = alignment_of(g.c);
  for (const void* const extra : {g.bias, static_cast<const void*>(g.aux)})
    if (extra != nullptr) p.alignment[3] = std::min(p.alignment[3], alignment_of(extra));
  return p;
}

}  // namespace eflow::detail
