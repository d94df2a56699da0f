#include "eflow/core/cuda/cublas_gemm.hpp"

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"

namespace eflow::detail {
namespace {

namespace lt = jit::lt;
/// Maximum number of calls for the second batch dimension, which cuBLASLt does not have. Beyond it,
/// one launch of the built-in kernel is faster.
constexpr long long kMostCalls = 64;

/// Owns a descriptor of the library.
using Owned = std::unique_ptr<void, int (*)(void*)>;

template <class Create>
Owned own(int (*destroy)(void*), int* status, Create&& create) {
  void* made = nullptr;
  *status = create(&made);
  return {*status == 0 ? made : nullptr, destroy};
}

std::string describe_product(const LtProblem& p) {
  return str("a product of [", p.d.columns, ", ", p.transpose_a != 0 ? p.a.rows : p.a.columns,
             "] and [", p.transpose_a != 0 ? p.a.rows : p.a.columns, ", ", p.d.rows, "], batch ",
             p.d.batch);
}

/// Advances a pointer by `elements`. Void is void or const void; nullptr stays nullptr.
template <class Void>
Void* at(Void* p, long long elements, DType dtype) {
  using Byte = std::conditional_t<std::is_const_v<Void>, const std::byte, std::byte>;
  return p == nullptr ? p
                      : static_cast<Byte*>(p) + elements * static_cast<long long>(size_of(dtype));
}

/// Returns the problem at `index` of batch dimension `d`.
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
  bool served = false;  ///< false: no algorithm; the built-in kernel is used
};

struct CublasGemm::Call {
  args::Gemm g;
  LtProblem problem;
  const Plan* plan;
};

CublasGemm::CublasGemm(std::shared_ptr<const jit::CudaContext> context, const jit::CublasApi& api,
                       bool tf32, void* workspace, Tuned tuned)
    : context_(std::move(context)),
      api_(api),
      tf32_(tf32),
      workspace_(workspace),
      tuned_(std::move(tuned)) {
  const jit::CudaContext::Current current(*context_);
  check(api_.create(&handle_), "cublasLtCreate");
}

CublasGemm::~CublasGemm() {
  plans_.clear();
  static_cast<void>(api_.destroy(handle_));  // no way to report a failure here
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

void CublasGemm::point(const args::Gemm& g, const LtProblem& problem, const Plan& plan) const {
  const auto set = [&](int attribute, const void* p) {
    check(api_.desc_set(plan.desc.get(), attribute, &p, sizeof p),
          "cublasLtMatmulDescSetAttribute(pointer)");
  };
  if (g.bias != nullptr) set(lt::kBias, g.bias);
  if ((problem.epilogue & lt::kAuxBit) != 0) set(lt::kAux, g.aux);
}

std::vector<jit::LtHeuristic> CublasGemm::offers(const Plan& plan, const int (&alignments)[4],
                                                 int most) const {
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
    prefer(lt::kAlignmentA + i, static_cast<std::uint32_t>(alignments[i]));
  std::vector<jit::LtHeuristic> out(static_cast<std::size_t>(most));
  int found = 0;
  status = api_.heuristic(handle_, plan.desc.get(), plan.a.get(), plan.b.get(), plan.c.get(),
                          plan.d.get(), preference.get(), most, out.data(), &found);
  if (status == lt::kNotSupported) found = 0;
  if (status != lt::kNotSupported) check(status, "cublasLtMatmulAlgoGetHeuristic");
  out.resize(static_cast<std::size_t>(found));
  std::erase_if(out, [](const jit::LtHeuristic& h) { return h.state != 0; });
  return out;
}

void CublasGemm::choose(const LtProblem& problem, Plan& plan) const {
  if (take_tuned(problem, plan)) return;
  const std::vector<jit::LtHeuristic> offered = offers(plan, problem.alignment, 1);
  plan.served = !offered.empty();
  if (plan.served) plan.algo = offered[0].algo;
}

bool CublasGemm::take_tuned(const LtProblem& problem, Plan& plan) const {
  const std::optional<jit::LtAlgo> algo = tuned_ ? tuned_(problem) : std::nullopt;
  if (!algo) return false;
  const std::string fault = fault_of(plan, *algo);
  if (!fault.empty()) {
    log_info("[cublas] the tuned algorithm for ", describe_product(problem),
             " is not used: ", fault);
    return false;
  }
  plan.algo = *algo;
  return plan.served = true;
}

std::optional<int> CublasGemm::attribute(const jit::LtAlgo& algo, int which) const {
  int value = 0;
  std::size_t written = 0;
  if (api_.algo_attribute(&algo, which, &value, sizeof value, &written) != 0) return std::nullopt;
  return value;
}

/// Returns why an algorithm from the tuning database cannot be used for the plan; empty if it can.
std::string CublasGemm::fault_of(const Plan& plan, const jit::LtAlgo& algo) const {
  jit::LtHeuristic needs{};
  const int status = api_.algo_check(handle_, plan.desc.get(), plan.a.get(), plan.b.get(),
                                     plan.c.get(), plan.d.get(), &algo, &needs);
  if (status != 0 || needs.state != 0)
    return str("cublasLtMatmulAlgoCheck refuses it (", status != 0 ? status : needs.state, ")");
  if (needs.workspace > kWorkspaceBytes)
    return str("it needs ", needs.workspace, " B of workspace, of which there are ",
               kWorkspaceBytes);
  const std::optional<int> reduction = attribute(algo, lt::kAlgoReduction);
  if (!reduction || (static_cast<std::uint32_t>(*reduction) & ~lt::kFixedOrderReductions) != 0)
    return "its reduction has no fixed order";
  return "";
}

std::vector<jit::LtAlgo> CublasGemm::algorithms(const args::Gemm& g, DType in, DType out,
                                                int most) {
  const std::optional<LtProblem> problem = lt_problem(g, in, out, 1, tf32_);
  if (!problem || g.batch[0] != 1) return {};
  const jit::CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  const Plan& plan = plan_of(g, *problem);
  if (!plan.served) return {};
  point(g, *problem, plan);
  std::vector<jit::LtAlgo> found{plan.algo};
  int alignments[4];
  for (int i = 0; i < 4; ++i) alignments[i] = std::min(problem->alignment[i], kLtAlignment);
  for (const jit::LtHeuristic& h : offers(plan, alignments, most)) {
    if (std::find(found.begin(), found.end(), h.algo) == found.end()) found.push_back(h.algo);
  }
  return found;
}

void CublasGemm::run_by(const jit::LtAlgo& algo, const args::Gemm& g, DType in, DType out,
                        jit::CuStream stream) {
  const std::optional<LtProblem> problem = lt_problem(g, in, out, 1, tf32_);
  if (!problem) throw InvalidArgument("[cublas] cuBLASLt does not support this product");
  const jit::CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  issue(g, *problem, plan_of(g, *problem), algo, stream);
}

std::string CublasGemm::text_of(const jit::LtAlgo& algo) const {
  std::string out;
  for (const auto& [name, which] : {std::pair{"algorithm ", lt::kAlgoId},
                                    {", tile ", lt::kAlgoTile},
                                    {", stages ", lt::kAlgoStages},
                                    {", split-k ", lt::kAlgoSplitK}}) {
    if (const std::optional<int> value = attribute(algo, which)) out += str(name, *value);
  }
  return out;
}

std::string CublasGemm::library() const {
  return str("cuBLASLt ", api_.version());
}

const CublasGemm::Plan& CublasGemm::plan_of(const args::Gemm& g, const LtProblem& problem) {
  if (const auto found = plans_.find(problem); found != plans_.end()) return found->second;
  Plan plan = describe(problem);
  point(g, problem, plan);  // the heuristics depend on the bias pointer
  choose(problem, plan);
  return plans_.emplace(problem, std::move(plan)).first->second;
}

void CublasGemm::issue(const args::Gemm& g, const LtProblem& problem, const Plan& plan,
                       const jit::LtAlgo& algo, jit::CuStream stream) const {
  point(g, problem, plan);
  const double beta = g.residual != nullptr ? 1 : g.beta;
  const float alpha32 = static_cast<float>(g.alpha), beta32 = static_cast<float>(beta);
  const bool wide = problem.scale == lt::kF64;
  const int status = api_.matmul(
      handle_, plan.desc.get(), wide ? static_cast<const void*>(&g.alpha) : &alpha32, g.b,
      plan.a.get(), g.a, plan.b.get(), wide ? static_cast<const void*>(&beta) : &beta32,
      g.residual != nullptr ? g.residual : g.c, plan.c.get(), g.c, plan.d.get(), &algo, workspace_,
      kWorkspaceBytes, stream);
  if (status != 0) check(status, ("cublasLtMatmul of " + describe_product(problem)).c_str());
}

std::vector<CublasGemm::Call> CublasGemm::plan_calls(args::Gemm g, DType in, DType out) {
  args::gemm_fold(g);
  const int outer = g.batch[0] <= g.batch[1] ? 0 : 1, inner = 1 - outer;
  if (g.batch[outer] > kMostCalls) return {};
  std::vector<Call> calls;
  for (long long i = 0; i < g.batch[outer]; ++i) {
    const args::Gemm now = moved(g, outer, i, in, out);
    const std::optional<LtProblem> problem = lt_problem(now, in, out, inner, tf32_);
    if (!problem) return {};
    calls.push_back({now, *problem, &plan_of(now, *problem)});
    if (!calls.back().plan->served) return {};
  }
  return calls;
}

bool CublasGemm::serves(const args::Gemm& g, DType in, DType out) {
  const jit::CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  return !plan_calls(g, in, out).empty();
}

bool CublasGemm::run(const args::Gemm& g, DType in, DType out, jit::CuStream stream) {
  const jit::CudaContext::Current current(*context_);
  const std::lock_guard lock(mutex_);
  const std::vector<Call> calls = plan_calls(g, in, out);
  for (const Call& call : calls) issue(call.g, call.problem, *call.plan, call.plan->algo, stream);
  return !calls.empty();
}

}  // namespace eflow::detail
