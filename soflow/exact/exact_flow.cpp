#include "eflow/soflow/exact/exact_flow.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/kernels_src/philox.h"
#include "eflow/soflow/objective/purpose.hpp"

namespace eflow::soflow {
namespace {

/// Random streams: the first three belong to a clip, the last to the distribution's parameters.
enum Stream : std::uint64_t { kClip, kPeak, kMeans, kParameters };

eflow_text::StreamKey key_of(std::uint64_t seed, Stream stream) {
  return eflow_text::stream_key(seed, kExactData, stream);
}

double normal(std::uint64_t seed, Stream stream, std::int64_t index, std::size_t element) {
  return eflow_text::normal_at(key_of(seed, stream), static_cast<std::uint64_t>(index), element);
}

double uniform(std::uint64_t seed, Stream stream, std::int64_t index, std::size_t element) {
  return eflow_text::uniform_at(key_of(seed, stream), static_cast<std::uint64_t>(index), element);
}

/// (1 + |k|^2)^-decay, scaled to a mean of 1.
std::vector<double> decaying(const CosineBasis& basis, double decay) {
  std::vector<double> values;
  for (std::int64_t k = 0; k < basis.size(); ++k)
    values.push_back(std::pow(1 + basis.frequency(k), -decay));
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  for (double& value : values) value *= static_cast<double>(values.size()) / sum;
  return values;
}

/// Two narrow peaks of unequal weight with this mean and variance.
MixtureLine two_peaks(double mean, double variance, double weight) {
  const double own = 0.1 * variance, distance = std::sqrt(0.9 * variance);
  const double left = std::sqrt((1 - weight) / weight), right = 1 / left;
  return MixtureLine(
      {{weight, {mean - left * distance, own}}, {1 - weight, {mean + right * distance, own}}});
}

}  // namespace

/// One sample's times and guidance scale.
struct ExactFlow::Jump {
  double t = 0, s = 0, w = 1;
  GuidedLine::Map conditioned = {}, unconditioned = {};  ///< kGuided with s != t
};

std::string_view name_of(ExactKind kind) {
  return enum_name(kind, kExactNames);
}

ExactKind exact_kind(std::string_view name) {
  return enum_from_name<ExactKind>("exact", name, kExactNames);
}

ExactFlow::ExactFlow(const ExactOptions& options) : options_(options), basis_(options.clip) {
  if (!(options.own > 0 && options.spread > 0)) {
    throw InvalidArgument(str("[exact] own and spread must be positive, found ", options.own,
                              " and ", options.spread));
  }
  const auto size = static_cast<std::size_t>(basis_.size());
  token_of_.assign(size, -1);
  if (options.kind == ExactKind::kGuided) {
    means_.assign(size, 0);
    variances_.assign(size, options.own);
    for (std::size_t k = 0; k < size; ++k) {
      if (!basis_.is_slow(static_cast<std::int64_t>(k))) continue;
      token_of_[k] = static_cast<std::int64_t>(conditioned_.size());
      conditioned_.push_back(k);
      variances_[k] += options.spread;
    }
    return;
  }
  variances_ = decaying(basis_, options.decay);
  for (std::size_t k = 0; k < size; ++k) {
    means_.push_back(0.5 * std::sqrt(variances_[k]) * normal(options.seed, kParameters, 0, k));
    const double weight = 0.3 + 0.4 * uniform(options.seed, kParameters, 1, k);
    mixtures_.push_back(two_peaks(means_[k], variances_[k], weight));
  }
}

Shape ExactFlow::context_shape() const {
  const auto tokens = static_cast<std::int64_t>(conditioned_.size());
  return tokens == 0 ? Shape() : Shape{tokens, 1 + tokens};
}

std::int64_t ExactFlow::context_size() const {
  const auto tokens = static_cast<std::int64_t>(conditioned_.size());
  return tokens * (1 + tokens);
}

double ExactFlow::conditional_mean(std::span<const double> context, std::size_t k) const {
  return token_of_[k] < 0
             ? 0
             : context[static_cast<std::size_t>(token_of_[k]) * (1 + conditioned_.size())];
}

void ExactFlow::draw(std::int64_t index, std::span<double> clip, std::span<double> context) const {
  if (static_cast<std::int64_t>(clip.size()) != basis_.size() ||
      static_cast<std::int64_t>(context.size()) != context_size()) {
    throw ShapeError(str("[exact] the clip has ", clip.size(), " values and the context ",
                         context.size(), "; expected ", basis_.size(), " and ", context_size()));
  }
  const std::size_t width = 1 + conditioned_.size();
  const std::uint64_t seed = options_.seed;
  std::fill(context.begin(), context.end(), 0.0);
  for (std::size_t i = 0; i < conditioned_.size(); ++i) {
    context[i * width] = std::sqrt(options_.spread) * normal(seed, kMeans, index, i);
    context[i * width + 1 + i] = 1;
  }
  for (std::size_t k = 0; k < clip.size(); ++k) {
    GaussianLine law{means_[k], variances_[k]};
    if (options_.kind == ExactKind::kMixture) {
      const auto& parts = mixtures_[k].parts();
      law = parts[uniform(seed, kPeak, index, k) < parts[0].weight ? 0 : 1].law;
    } else if (options_.kind == ExactKind::kGuided) {
      law = {conditional_mean(context, k), options_.own};
    }
    clip[k] = law.mean + std::sqrt(law.variance) * normal(seed, kClip, index, k);
  }
  basis_.to_clip(clip);
}

std::vector<ExactFlow::Jump> ExactFlow::jumps_of(const PerSample& t, const PerSample& s,
                                                 const nn::Condition& condition) const {
  const PerSample w = condition.guidance.defined() ? condition.guidance.to_vector<double>()
                                                   : PerSample(t.size(), 1);
  std::vector<Jump> all;
  for (std::size_t i = 0; i < t.size(); ++i) {
    Jump jump{t[i], s[i], condition.path == nn::Path::kWeak ? 0 : w[i], {}, {}};
    if (options_.kind == ExactKind::kGuided && t[i] != s[i]) {
      jump.conditioned = GuidedLine(options_.own, options_.spread, jump.w).solution(t[i], s[i]);
      jump.unconditioned = GuidedLine(options_.own, 0, jump.w).solution(t[i], s[i]);
    }
    all.push_back(jump);
  }
  return all;
}

template <class Move>
Tensor ExactFlow::each(const Tensor& x, const std::vector<Jump>& jumps,
                       const nn::Condition& condition, const Move& move) const {
  const auto width = static_cast<std::size_t>(context_size());
  if (width > 0 && !condition.context.defined())
    throw InvalidArgument("[exact] the guided flow requires condition.context");
  const auto contexts = width > 0 ? condition.context.to_vector<double>() : PerSample();
  auto values = x.to_vector<double>();
  const auto size = static_cast<std::size_t>(basis_.size());
  for (std::size_t i = 0; i < jumps.size(); ++i) {
    const std::span<double> clip(values.data() + i * size, size);
    const std::span<const double> context(contexts.data() + i * width, width);
    basis_.to_coordinates(clip);
    for (std::size_t k = 0; k < size; ++k)
      clip[k] = move(jumps[i], k, clip[k], conditional_mean(context, k));
    basis_.to_clip(clip);
  }
  return Tensor::from(values, x.shape(), x.device());
}

Tensor ExactFlow::velocity(const Tensor& x, const PerSample& t,
                           const nn::Condition& condition) const {
  return each(x, jumps_of(t, t, condition), condition,
              [&](const Jump& jump, std::size_t k, double y, double m) {
                if (options_.kind == ExactKind::kMixture) return mixtures_[k].velocity(y, jump.t);
                if (options_.kind == ExactKind::kGaussian)
                  return GaussianLine{means_[k], variances_[k]}.velocity(y, jump.t);
                const double spread = token_of_[k] < 0 ? 0 : options_.spread;
                return GuidedLine(options_.own, spread, jump.w).velocity(y, jump.t, m);
              });
}

Tensor ExactFlow::solution(const Tensor& x, const PerSample& t, const PerSample& s,
                           const nn::Condition& condition) const {
  return each(x, jumps_of(t, s, condition), condition,
              [&](const Jump& jump, std::size_t k, double y, double m) {
                if (jump.t == jump.s) return y;
                if (options_.kind == ExactKind::kMixture)
                  return mixtures_[k].solution(y, jump.t, jump.s);
                if (options_.kind == ExactKind::kGaussian)
                  return GaussianLine{means_[k], variances_[k]}.solution(y, jump.t, jump.s);
                const auto [scale, shift] =
                    token_of_[k] < 0 ? jump.unconditioned : jump.conditioned;
                return scale * y + shift * m;
              });
}

Network ExactFlow::network() const {
  return [this](const Tensor& x, const Tensor& t, const Tensor& s, const nn::Condition& c) {
    const auto from = t.to_vector<double>(), to = s.to_vector<double>();
    PerSample is_point(from.size()), rate(from.size());  // F is v where s = t
    for (std::size_t i = 0; i < from.size(); ++i) {
      is_point[i] = from[i] == to[i];
      rate[i] = from[i] == to[i] ? 0 : 1 / (to[i] - from[i]);
    }
    const Tensor x64 = cast(x, DType::kF64);
    const Tensor F = (solution(x, from, to, c) - x64) * as_factors(rate, x64);
    return cast(F + velocity(x, from, c) * as_factors(is_point, x64), x.dtype());
  };
}

std::vector<double> ExactFlow::sample_variances(double w) const {
  if (options_.kind != ExactKind::kGuided) return variances_;
  std::vector<double> variances;
  for (const std::int64_t token : token_of_) {
    const double spread = token < 0 ? 0 : options_.spread;
    const auto [scale, shift] = GuidedLine(options_.own, spread, w).solution(1, 0);
    variances.push_back(scale * scale + shift * shift * spread);
  }
  return variances;
}

double ExactFlow::irreducible_loss(double t) const {
  if (options_.kind != ExactKind::kGaussian)
    throw InvalidArgument("[exact] the irreducible loss is known only for gaussian");
  double sum = 0;
  for (const double variance : variances_) {
    const double sigma = GaussianLine{0, variance}.deviation(t);
    sum += variance / (sigma * sigma);
  }
  return sum / static_cast<double>(variances_.size());
}

}  // namespace eflow::soflow
