#include "eflow/nn/dit/products.hpp"

#include <algorithm>

#include "eflow/core/tuning/tunable_kernels.hpp"
#include "eflow/nn/dit/video_dit.hpp"

namespace eflow::nn {
namespace {

bool begins_with_one_of(const std::string& name, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return name.starts_with(part); });
}

/// True if a parameter is the weight of a linear layer over tokens.
bool is_over_tokens(const ParameterInfo& p, const DiTConfig& c) {
  if (p.shape.rank() != 2 || !p.name.ends_with(".weight")) return false;
  if (!begins_with_one_of(p.name,
                          {"patch.", "encoder.", "middle.", "decoder.", "fusion.", "head."}))
    return false;
  const bool of_context = p.name.find(".kv.") != std::string::npos;
  const std::int64_t in = p.shape[1];
  return !of_context &&
         (in == c.dim || in == 2 * c.dim || in == c.hidden || in == c.patch_values());
}

/// The dtypes of a layer's operands and of its result.
struct Precision {
  DType compute, result;
};

/// In mixed precision only the blocks compute in bf16. Their branches end in the f32 residual
/// stream.
Precision precision_of(const std::string& layer, DType compute) {
  if (compute != DType::kBF16) return {compute, compute};
  if (!begins_with_one_of(layer, {"encoder.", "middle.", "decoder."}))
    return {DType::kF32, DType::kF32};
  const bool last = layer.ends_with(".out") || layer.ends_with(".down");
  return {compute, last ? DType::kF32 : compute};
}

/// Epilogues of a layer: of its product, of its product when recorded, and of its input's gradient.
struct Ends {
  ProductEnd forward, recorded, input_grad = ProductEnd::kPlain;
};

/// The two products of a plain feed-forward fuse GELU or its gradient.
Ends ends_of(const std::string& layer, bool bias, FeedForwardKind feed_forward) {
  const ProductEnd end = bias ? ProductEnd::kBias : ProductEnd::kPlain;
  if (feed_forward == FeedForwardKind::kPlain) {
    if (layer.ends_with("feed_forward.up"))
      return {ProductEnd::kBiasGelu, ProductEnd::kBiasGeluKept};
    if (layer.ends_with("feed_forward.down")) return {end, end, ProductEnd::kGeluGradient};
  }
  return {end, end};
}

class Jobs {
 public:
  explicit Jobs(const KernelNeeds& needs) : needs_(needs) {}

  /// Adds y = x w^T + b, x [rows, in], w [out, in], and its gradients.
  void add_linear(std::int64_t rows, std::int64_t in, std::int64_t out, const Ends& ends,
                  const Precision& precision) {
    const DType compute = precision.compute, weights = accumulator_of(compute);
    add(compute, precision.result, false, true, ends.forward, {rows, out, in, 1});
    if (!needs_.gradients) return;
    add(compute, precision.result, false, true, ends.recorded, {rows, out, in, 1});
    add(compute, compute, false, false, ends.input_grad, {rows, in, out, 1});
    add(compute, weights, true, false, ProductEnd::kPlain, {out, in, rows, 1});
  }
  [[nodiscard]] std::vector<jit::TuningJob> take() { return std::move(jobs_); }

 private:
  void add(DType in, DType out, bool a_transposed, bool b_transposed, ProductEnd end,
           const std::vector<std::int64_t>& sizes) {
    const jit::KernelRef product = product_kernel(in, out, a_transposed, b_transposed, end);
    const bool known = std::any_of(jobs_.begin(), jobs_.end(), [&](const jit::TuningJob& job) {
      return job.kernel.spec == product.spec && job.sizes == sizes;
    });
    if (!known) jobs_.push_back({product, sizes});
  }

  KernelNeeds needs_;
  std::vector<jit::TuningJob> jobs_;
};

}  // namespace

std::vector<jit::TuningJob> product_jobs(const DiTConfig& config, const KernelNeeds& needs,
                                         std::int64_t batch) {
  if (needs.backend == jit::Backend::kHost) return {};
  const std::vector<ParameterInfo> all = VideoDiT(Scope::shapes_only(), config).parameter_info();
  const std::int64_t tokens = config.grid().count();
  const auto has = [&](const std::string& name) {
    return std::any_of(all.begin(), all.end(), [&](const auto& p) { return p.name == name; });
  };
  Jobs jobs(needs);
  for (const ParameterInfo& p : all) {
    if (!is_over_tokens(p, config)) continue;
    const std::string layer = p.name.substr(0, p.name.rfind('.'));
    const bool bias = has(layer + ".bias");
    const Precision precision = precision_of(layer, needs.dtype);
    const Ends ends = ends_of(layer, bias, config.feed_forward);
    jobs.add_linear(batch * tokens, p.shape[1], p.shape[0], ends, precision);
    if (needs.kept_percent > 0 && p.name.starts_with("middle."))
      jobs.add_linear(batch * std::max<std::int64_t>(1, tokens * needs.kept_percent / 100),
                      p.shape[1], p.shape[0], ends, precision);
  }
  return jobs.take();
}

}  // namespace eflow::nn
