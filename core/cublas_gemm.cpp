#include "eflow/core/cublas_gemm.hpp"

#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "eflow/base/error.hpp"

namespace eflow::detail {
namespace {

namespace lt = jit::lt;
/// Problems of one dimension of a batch are issued one by one up to so many; more are better off in one launch of ours.
constexpr long long kMostCalls = 64;

using Owned = std::unique_ptr<void, int (*)(void*)>;

std::string text_of(const LtProblem& p) {
  return str("a product of [", p.d.columns, ", ", p.transpose_a != 0 ? p.a.rows : p.a.columns,
             "] and [", p.transpose_a != 0 ? p.a.rows : p.a.columns, ", ", p.d.rows, "], batch ",
             p.d.batch);
}

/// Void is void or const void; null stays null.
template <class Void>
Void* at(Void* p, long long elements, DType dtype) {
  using Byte = std::conditional_t<std::is_const_v<Void>, const std::byte, std::byte>;
  return p == nullptr ? p
                      : static_cast<Byte*>(p) + elements * static_cast<long long>(size_of(dtype));
}

/// The problem that lies `index` further in dimension `d` of the batch.
args::Gemm moved(args::Gemm g, int d, long long index, DType in, DType out) {
  g.a = at(g.a, index * g.a_bs[d], in);
  g.b = at(g.b, index * g.b_bs[d], in);
  g.c = at(g.c, index * g.c_bs[d], out);
  g.aux = at(g.aux, index * g.c_bs[d], out);
  g.residual = at(g.residual, index * g.residual_bs[d], out);
  return g;
}

}  // namespace

struct CublasGemm::Plan {
  Owned desc, a, b, c, d;
  jit::LtAlgo algo{};
  bool served = false;  ///< false: no algorithm, so own text
};

CublasGemm::CublasGemm(std::shared_ptr<const jit::CudaContext> context, const jit::CublasApi& api,
                       bool tf32, void* workspace)
    : context_(std::move(context)), api_(api), tf32_(tf32), workspace_(workspace) {
  const jit::CudaContext::Current current(*context_);
  check(api_.create(&handle_), "cublasLtCreate");
}

CublasGemm::~CublasGemm() {
  plans_.clear();
  static_cast<void>(api_.destroy(handle_));  // nothing of it is left to lose
}

void CublasGemm::check(int status, const char* call) const {
  if (status == 0) return;
  const char* const text = api_.status_string(status);
  throw DeviceError(str("[cublas] ", call, ": ", text != nullptr ? text : "unknown status", " (",
                        status, ") on ", context_->name()));
}

const CublasGemm::Plan& CublasGemm::plan_of(const LtProblem& problem) {
  if (const auto found = plans_.find(problem); found != plans_.end()) return found->second;
  const auto own = [&](const char* call, int (*destroy)(void*), auto&& create) {
    void* made = nullptr;
    check(create(&made), call);
    return Owned(made, destroy);
  };
  const auto layout = [&](const LtMatrix& m) {
    Owned made = own("cublasLtMatrixLayoutCreate", api_.layout_destroy, [&](void** p) {
      return api_.layout_create(p, m.type, static_cast<std::uint64_t>(m.rows),
                                static_cast<std::uint64_t>(m.columns), m.ld);
    });
    check(api_.layout_set(made.get(), lt::kBatchCount, &m.batch, sizeof m.batch),
          "cublasLtMatrixLayoutSetAttribute(BATCH_COUNT)");
    check(api_.layout_set(made.get(), lt::kBatchStride, &m.stride, sizeof m.stride),
          "cublasLtMatrixLayoutSetAttribute(STRIDED_BATCH_OFFSET)");
    return made;
  };
  Plan plan{
      .desc = own("cublasLtMatmulDescCreate", api_.desc_destroy,
                  [&](void** p) { return api_.desc_create(p, problem.compute, problem.scale); }),
      .a = layout(problem.a),
      .b = layout(problem.b),
      .c = layout(problem.c),
      .d = layout(problem.d)};
  for (const auto& [attribute, value] : {std::pair{lt::kTransposeA, problem.transpose_a},
                                         {lt::kTransposeB, problem.transpose_b},
                                         {lt::kEpilogue, problem.epilogue}})
    check(api_.desc_set(plan.desc.get(), attribute, &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  if ((problem.epilogue & lt::kAuxBit) != 0) {
    check(api_.desc_set(plan.desc.get(), lt::kAuxLd, &problem.d.ld, sizeof problem.d.ld),
          "cublasLtMatmulDescSetAttribute(EPILOGUE_AUX_LD)");
    check(api_.desc_set(plan.desc.get(), lt::kAuxBatchStride, &problem.d.stride,
                        sizeof problem.d.stride),
          "cublasLtMatmulDescSetAttribute(EPILOGUE_AUX_BATCH_STRIDE)");
  }
  const Owned preference = own("cublasLtMatmulPreferenceCreate", api_.preference_destroy,
                               [&](void** p) { return api_.preference_create(p); });
  const auto prefer = [&](int attribute, const auto& value) {
    check(api_.preference_set(preference.get(), attribute, &value, sizeof value),
          "cublasLtMatmulPreferenceSetAttribute");
  };
  prefer(lt::kMaxWorkspace, kWorkspaceBytes);
  prefer(lt::kReductionSchemes, lt::kFixedOrderReductions);
  for (int i = 0; i < 4; ++i)
    prefer(lt::kAlignmentA + i, static_cast<std::uint32_t>(problem.alignment[i]));
  jit::LtHeuristic result{};
  int found = 0;
  const int status =
      api_.heuristic(handle_, plan.desc.get(), plan.a.get(), plan.b.get(), plan.c.get(),
                     plan.d.get(), preference.get(), 1, &result, &found);
  if (status != lt::kNotSupported) check(status, "cublasLtMatmulAlgoGetHeuristic");
  plan.served = status == 0 && found > 0 && result.state == 0;
  plan.algo = result.algo;
  return plans_.emplace(problem, std::move(plan)).first->second;
}

void CublasGemm::issue(const args::Gemm& g, const LtProblem& problem, const Plan& plan,
                       jit::CuStream stream) {
  const auto point = [&](int attribute, const void* p) {
    check(api_.desc_set(plan.desc.get(), attribute, &p, sizeof p),
          "cublasLtMatmulDescSetAttribute(pointer)");
  };
  if (g.bias != nullptr) point(lt::kBias, g.bias);
  if ((problem.epilogue & lt::kAuxBit) != 0) point(lt::kAux, g.aux);
  const double beta = g.residual != nullptr ? 1 : g.beta;
  const float alpha32 = static_cast<float>(g.alpha), beta32 = static_cast<float>(beta);
  const bool wide = problem.scale == lt::kF64;
  const int status = api_.matmul(
      handle_, plan.desc.get(), wide ? static_cast<const void*>(&g.alpha) : &alpha32, g.b,
      plan.a.get(), g.a, plan.b.get(), wide ? static_cast<const void*>(&beta) : &beta32,
      g.residual != nullptr ? g.residual : g.c, plan.c.get(), g.c, plan.d.get(), &plan.algo,
      workspace_, kWorkspaceBytes, stream);
  if (status != 0) check(status, ("cublasLtMatmul of " + text_of(problem)).c_str());
}

bool CublasGemm::run(const args::Gemm& given, DType in, DType out, jit::CuStream stream) {
  args::Gemm g = given;
  args::gemm_fold(g);
  const int outer = g.batch[0] <= g.batch[1] ? 0 : 1, inner = 1 - outer;
  if (g.batch[outer] > kMostCalls) return false;
  const jit::CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  struct Call {
    args::Gemm g;
    LtProblem problem;
    const Plan* plan;
  };
  std::vector<Call> calls;  // all or none
  for (long long i = 0; i < g.batch[outer]; ++i) {
    const args::Gemm now = moved(g, outer, i, in, out);
    const std::optional<LtProblem> problem = lt_problem(now, in, out, inner, tf32_);
    if (!problem) return false;
    calls.push_back({now, *problem, &plan_of(*problem)});
    if (!calls.back().plan->served) return false;
  }
  for (const Call& call : calls) issue(call.g, call.problem, *call.plan, stream);
  return true;
}

}  // namespace eflow::detail
