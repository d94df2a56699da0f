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

/// A descriptor of the library's.
using Owned = std::unique_ptr<void, int (*)(void*)>;

template <class Create>
Owned own(int (*destroy)(void*), int* status, Create&& create) {
  void* made = nullptr;
  *status = create(&made);
  return {*status == 0 ? made : nullptr, destroy};
}

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

CublasGemm::Plan CublasGemm::describe(const LtProblem& p) const {
  int status = 0;
  const auto layout = [&](const LtMatrix& m) {
    Owned made = own(api_.layout_destroy, &status, [&](void** out) {
      return api_.layout_create(out, m.type, static_cast<std::uint64_t>(m.rows),
                                static_cast<std::uint64_t>(m.columns), m.ld);
    });
    check(status, "cublasLtMatrixLayoutCreate");
    check(api_.layout_set(made.get(), lt::kBatchCount, &m.batch, sizeof m.batch),
          "cublasLtMatrixLayoutSetAttribute(BATCH_COUNT)");
    check(api_.layout_set(made.get(), lt::kBatchStride, &m.stride, sizeof m.stride),
          "cublasLtMatrixLayoutSetAttribute(STRIDED_BATCH_OFFSET)");
    return made;
  };
  Owned desc = own(api_.desc_destroy, &status,
                   [&](void** out) { return api_.desc_create(out, p.compute, p.scale); });
  check(status, "cublasLtMatmulDescCreate");
  const auto set = [&](int attribute, const auto& value) {
    check(api_.desc_set(desc.get(), attribute, &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  };
  set(lt::kTransposeA, p.transpose_a);
  set(lt::kTransposeB, p.transpose_b);
  set(lt::kEpilogue, p.epilogue);
  if ((p.epilogue & lt::kAuxBit) != 0) {
    set(lt::kAuxLd, p.d.ld);
    set(lt::kAuxBatchStride, p.d.stride);
  }
  return {.desc = std::move(desc),
          .a = layout(p.a),
          .b = layout(p.b),
          .c = layout(p.c),
          .d = layout(p.d)};
}

/// What the epilogue reads and writes is another call's each time.
void CublasGemm::point(const args::Gemm& g, const LtProblem& problem, const Plan& plan) const {
  const auto set = [&](int attribute, const void* p) {
    check(api_.desc_set(plan.desc.get(), attribute, &p, sizeof p),
          "cublasLtMatmulDescSetAttribute(pointer)");
  };
  if (g.bias != nullptr) set(lt::kBias, g.bias);
  if ((problem.epilogue & lt::kAuxBit) != 0) set(lt::kAux, g.aux);
}

void CublasGemm::choose(const LtProblem& problem, Plan& plan) const {
  int status = 0;
  const Owned preference = own(api_.preference_destroy, &status,
                               [&](void** out) { return api_.preference_create(out); });
  check(status, "cublasLtMatmulPreferenceCreate");
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
  status = api_.heuristic(handle_, plan.desc.get(), plan.a.get(), plan.b.get(), plan.c.get(),
                          plan.d.get(), preference.get(), 1, &result, &found);
  if (status != lt::kNotSupported) check(status, "cublasLtMatmulAlgoGetHeuristic");
  plan.served = status == 0 && found > 0 && result.state == 0;
  plan.algo = result.algo;
}

const CublasGemm::Plan& CublasGemm::plan_of(const args::Gemm& g, const LtProblem& problem) {
  if (const auto found = plans_.find(problem); found != plans_.end()) return found->second;
  Plan plan = describe(problem);
  point(g, problem, plan);  // whether there is a bias counts for the choice
  choose(problem, plan);
  return plans_.emplace(problem, std::move(plan)).first->second;
}

void CublasGemm::issue(const args::Gemm& g, const LtProblem& problem, const Plan& plan,
                       jit::CuStream stream) const {
  point(g, problem, plan);
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
    calls.push_back({now, *problem, &plan_of(now, *problem)});
    if (!calls.back().plan->served) return false;
  }
  for (const Call& call : calls) issue(call.g, call.problem, *call.plan, stream);
  return true;
}

}  // namespace eflow::detail
