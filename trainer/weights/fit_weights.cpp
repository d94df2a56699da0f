#include "eflow/trainer/weights/fit_weights.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/scalar_embedder.hpp"

namespace eflow::trainer {
namespace {

/// Weights of the same shapes would mean something else.
void check_reading(const nn::DiTConfig& from, const nn::DiTConfig& to) {
  using nn::GapInput;
  const auto refuse = [](const char* key, const auto& theirs, const auto& ours) {
    throw InvalidArgument(str("model.", key, ": the weights are of a model with ", theirs,
                              ", this model has ", ours, "; use the same value"));
  };
  if (from.heads != to.heads) refuse("heads", from.heads, to.heads);
  if (from.time_scale != to.time_scale) refuse("time_scale", from.time_scale, to.time_scale);
  if (from.prediction != to.prediction)
    refuse("prediction", name_of(from.prediction), name_of(to.prediction));
  const bool both_embed = from.gap != GapInput::kNone && to.gap != GapInput::kNone;
  if (both_embed && from.gap != to.gap) refuse("gap", name_of(from.gap), name_of(to.gap));
}

class Fit {
 public:
  explicit Fit(const nn::NamedTensors& weights) : weights_(weights) {}

  [[nodiscard]] Tensor at(const std::string& name) const {
    for (const auto& [each, tensor] : weights_) {
      if (each == name) return tensor;
    }
    throw InvalidArgument(str("the weights hold no ", name));
  }
  void replace(const std::string& name, const Tensor& tensor) {
    for (auto& [each, old] : weights_) {
      if (each == name) old = tensor;
    }
  }
  void add(const std::string& name, const Tensor& tensor) { weights_.emplace_back(name, tensor); }
  /// Removes the weights that begin with `prefix`, and returns them without it.
  nn::NamedTensors take(const std::string& prefix) {
    nn::NamedTensors taken, rest;
    for (const auto& [name, tensor] : weights_) {
      const bool has = name.starts_with(prefix);
      (has ? taken : rest).emplace_back(has ? name.substr(prefix.size()) : name, tensor);
    }
    weights_ = rest;
    return taken;
  }
  [[nodiscard]] Tensor zeros_like(const std::string& name) const {
    const Tensor t = at(name);
    return Tensor::zeros(t.shape(), t.dtype(), t.device());
  }
  /// An embedder with the input layer of `time` and an output layer of zeros.
  void add_silent_embedder(const std::string& name) {
    for (const char* part : {".in.weight", ".in.bias"}) add(name + part, at(str("time", part)));
    for (const char* part : {".out.weight", ".out.bias"})
      add(name + part, zeros_like(str("time", part)));
  }
  [[nodiscard]] const nn::NamedTensors& weights() const { return weights_; }

 private:
  nn::NamedTensors weights_;
};

/// E_w(w) [D] of an embedder's weights.
Tensor embedding_of(const nn::NamedTensors& embedder, std::int64_t dim, double w) {
  const Tensor& any = embedder.front().second;
  nn::ScalarEmbedder embed(nn::Scope({}, any.dtype(), any.device()), dim);
  embed.load_state(embedder);
  const NoGrad off;
  return reshape(embed(Tensor::full({1}, w, any.dtype(), any.device())), {dim});
}

/// [I, 0]: the fusion of (middle, encoder) that returns the middle.
Tensor pass_on_middle(std::int64_t dim, const Tensor& like) {
  std::vector<double> values(static_cast<std::size_t>(2 * dim * dim));
  for (std::int64_t i = 0; i < dim; ++i) values[static_cast<std::size_t>(i * 2 * dim + i)] = 1;
  return cast(Tensor::from(values, {dim, 2 * dim}, like.device()), like.dtype());
}

}  // namespace

FittedWeights fit_weights(const nn::NamedTensors& weights, const nn::DiTConfig& from,
                          const nn::DiTConfig& to, double guidance) {
  using nn::GapInput;
  check_reading(from, to);
  const NoGrad off;
  Fit fit(weights);
  FittedWeights result;
  if (from.guidance_embedding && !to.guidance_embedding) {
    const nn::NamedTensors embedder = fit.take("guidance.");
    fit.replace("time.out.bias",
                fit.at("time.out.bias") + embedding_of(embedder, from.dim, guidance));
    result.notes.push_back(str("the model does not take the guidance scale: the embedding of w = ",
                               guidance, " is added to time.out.bias, and guidance.* is dropped"));
  }
  if (!from.guidance_embedding && to.guidance_embedding) {
    fit.add_silent_embedder("guidance");
    result.notes.push_back(
        "the weights have no embedding of the guidance scale: guidance.* begins at zero effect");
  }
  if (from.gap == GapInput::kNone && to.gap != GapInput::kNone) {
    fit.add_silent_embedder("gap");
    result.notes.push_back(
        "the weights have no embedding of the gap: gap.* begins at zero effect, so the model "
        "begins "
        "with the same velocity for every s");
  }
  if (from.gap != GapInput::kNone && to.gap == GapInput::kNone) {
    throw InvalidArgument(str("model.gap: the weights are of a model with ", name_of(from.gap),
                              ", this model has none; a flow map cannot become a network of "
                              "velocities; use model.gap = ",
                              name_of(from.gap)));
  }
  if (!from.long_residual && to.long_residual) {
    const Tensor like = fit.at("patch.proj.weight");
    fit.add("mask", Tensor::zeros({to.dim}, like.dtype(), like.device()));
    fit.add("fusion.weight", pass_on_middle(to.dim, like));
    fit.add("fusion.bias", Tensor::zeros({to.dim}, like.dtype(), like.device()));
    result.notes.push_back(
        "the weights have no fusion: fusion.* begins by passing on the middle, and [MASK] is zero");
  }
  result.weights = fit.weights();
  return result;
}

}  // namespace eflow::trainer
