#include "eflow/soflow/exact_flow.hpp"

#include <cmath>
#include <numeric>

#include "eflow/base/error.hpp"
#include "eflow/kernels/philox.h"
#include "eflow/nn/named_enum.hpp"
#include "eflow/soflow/purpose.hpp"

namespace eflow::soflow {
namespace {

constexpr std::array<std::string_view, 3> kExactNames = {"gaussian", "mixture", "guided"};

/// Streams of one clip, and that of the distribution's own parameters.
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

/// (1 + |k|^2)^-decay, 1 on average.
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
  const double own = 0.1 * variance, apart = std::sqrt(0.9 * variance);
  const double left = std::sqrt((1 - weight) / weight), right = 1 / left;
  return MixtureLine(
      {{weight, {mean - left * apart, own}}, {1 - weight, {mean + right * apart, own}}});
}

}  // namespace

/// Where one sample is, where it goes, and by which guidance.
struct ExactFlow::Way {
  double t = 0, s = 0, w = 1;
  GuidedLine::Map told, untold;  ///< kGuided with s != t
};

std::string_view name_of(ExactKind kind) {
  return kExactNames[static_cast<std::size_t>(kind)];
}

ExactKind exact_kind(std::string_view name) {
  return nn::enum_from_name<ExactKind>("exact", name, kExactNames);
}

ExactFlow::ExactFlow(const ExactOptions& options) : options_(options), basis_(options.clip) {
  if (!(options.own > 0 && options.spread > 0)) {
    throw InvalidArgument(str("[exact] own and spread must be positive, found ", options.own,
                              " and ", options.spread));
  }
  const auto size = static_cast<std::size_t>(basis_.size());
  place_.assign(size, -1);
  if (options.kind == ExactKind::kGuided) {
    means_.assign(size, 0);
    variances_.assign(size, options.own);
    for (std::size_t k = 0; k < size; ++k) {
      if (!basis_.is_slow(static_cast<std::int64_t>(k))) continue;
      place_[k] = static_cast<std::int64_t>(told_.size());
      told_.push_back(k);
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
  const auto told = static_cast<std::int64_t>(told_.size());
  return told == 0 ? Shape() : Shape{told, 1 + told};
}

std::int64_t ExactFlow::context_size() const {
  const auto told = static_cast<std::int64_t>(told_.size());
  return told * (1 + told);
}

double ExactFlow::told_mean(std::span<const double> context, std::size_t k) const {
  return place_[k] < 0 ? 0 : context[static_cast<std::size_t>(place_[k]) * (1 + told_.size())];
}

void ExactFlow::draw(std::int64_t index, std::span<double> clip, std::span<double> context) const {
  if (static_cast<std::int64_t>(clip.size()) != basis_.size() ||
      static_cast<std::int64_t>(context.size()) != context_size()) {
    throw ShapeError(str("[exact] room for ", clip.size(), " and ", context.size(),
                         " values; expected ", basis_.size(), " and ", context_size()));
  }
  const std::size_t token = 1 + told_.size();
  const std::uint64_t seed = options_.seed;
  std::fill(context.begin(), context.end(), 0.0);
  for (std::size_t i = 0; i < told_.size(); ++i) {
    context[i * token] = std::sqrt(options_.spread) * normal(seed, kMeans, index, i);
    context[i * token + 1 + i] = 1;
  }
  for (std::size_t k = 0; k < clip.size(); ++k) {
    GaussianLine law{means_[k], variances_[k]};
    if (options_.kind == ExactKind::kMixture) {
      const auto& parts = mixtures_[k].parts();
      law = parts[uniform(seed, kPeak, index, k) < parts[0].weight ? 0 : 1].law;
    } else if (options_.kind == ExactKind::kGuided) {
      law = {told_mean(context, k), options_.own};
    }
    clip[k] = law.mean + std::sqrt(law.variance) * normal(seed, kClip, index, k);
  }
  basis_.to_clip(clip);
}

std::vector<ExactFlow::Way> ExactFlow::ways_of(const PerSample& t, const PerSample& s,
                                               const nn::Condition& condition) const {
  const PerSample told = condition.guidance.defined() ? condition.guidance.to_vector<double>()
                                                      : PerSample(t.size(), 1);
  std::vector<Way> all;
  for (std::size_t i = 0; i < t.size(); ++i) {
    Way way{t[i], s[i], condition.path == nn::Path::kWeak ? 0 : told[i], {}, {}};
    if (options_.kind == ExactKind::kGuided && t[i] != s[i]) {
      way.told = GuidedLine(options_.own, options_.spread, way.w).solution(t[i], s[i]);
      way.untold = GuidedLine(options_.own, 0, way.w).solution(t[i], s[i]);
    }
    all.push_back(way);
  }
  return all;
}

template <class Move>
Tensor ExactFlow::each(const Tensor& x, const std::vector<Way>& ways,
                       const nn::Condition& condition, const Move& move) const {
  const auto told = static_cast<std::size_t>(context_size());
  if (told > 0 && !condition.context.defined())
    throw InvalidArgument("[exact] the guided flow needs its condition as a context");
  const auto given = told > 0 ? condition.context.to_vector<double>() : PerSample();
  auto values = x.to_vector<double>();
  const auto size = static_cast<std::size_t>(basis_.size());
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const std::span<double> clip(values.data() + i * size, size);
    const std::span<const double> context(given.data() + i * told, told);
    basis_.to_coordinates(clip);
    for (std::size_t k = 0; k < size; ++k)
      clip[k] = move(ways[i], k, clip[k], told_mean(context, k));
    basis_.to_clip(clip);
  }
  return Tensor::from(values, x.shape(), x.device());
}

Tensor ExactFlow::velocity(const Tensor& x, const PerSample& t,
                           const nn::Condition& condition) const {
  return each(x, ways_of(t, t, condition), condition,
              [&](const Way& way, std::size_t k, double y, double m) {
                if (options_.kind == ExactKind::kMixture) return mixtures_[k].velocity(y, way.t);
                if (options_.kind == ExactKind::kGaussian)
                  return GaussianLine{means_[k], variances_[k]}.velocity(y, way.t);
                const double spread = place_[k] < 0 ? 0 : options_.spread;
                return GuidedLine(options_.own, spread, way.w).velocity(y, way.t, m);
              });
}

Tensor ExactFlow::solution(const Tensor& x, const PerSample& t, const PerSample& s,
                           const nn::Condition& condition) const {
  return each(x, ways_of(t, s, condition), condition,
              [&](const Way& way, std::size_t k, double y, double m) {
                if (way.t == way.s) return y;
                if (options_.kind == ExactKind::kMixture)
                  return mixtures_[k].solution(y, way.t, way.s);
                if (options_.kind == ExactKind::kGaussian)
                  return GaussianLine{means_[k], variances_[k]}.solution(y, way.t, way.s);
                const auto [scale, shift] = place_[k] < 0 ? way.untold : way.told;
                return scale * y + shift * m;
              });
}

Network ExactFlow::network() const {
  return [this](const Tensor& x, const Tensor& t, const Tensor& s, const nn::Condition& c) {
    const auto from = t.to_vector<double>(), to = s.to_vector<double>();
    PerSample resting(from.size()), rate(from.size());
    for (std::size_t i = 0; i < from.size(); ++i) {
      resting[i] = from[i] == to[i];
      rate[i] = from[i] == to[i] ? 0 : 1 / (to[i] - from[i]);
    }
    const Tensor here = cast(x, DType::kF64);
    const Tensor way = (solution(x, from, to, c) - here) * as_factors(rate, here);
    return cast(way + velocity(x, from, c) * as_factors(resting, here), x.dtype());
  };
}

std::vector<double> ExactFlow::sample_variances(double w) const {
  if (options_.kind != ExactKind::kGuided) return variances_;
  std::vector<double> variances;
  for (const std::int64_t place : place_) {
    const double spread = place < 0 ? 0 : options_.spread;
    const auto [scale, shift] = GuidedLine(options_.own, spread, w).solution(1, 0);
    variances.push_back(scale * scale + shift * shift * spread);
  }
  return variances;
}

double ExactFlow::irreducible_loss(double t) const {
  if (options_.kind != ExactKind::kGaussian)
    throw InvalidArgument("[exact] the irreducible loss is known for gaussian only");
  double sum = 0;
  for (const double variance : variances_) {
    const double sigma = GaussianLine{0, variance}.deviation(t);
    sum += variance / (sigma * sigma);
  }
  return sum / static_cast<double>(variances_.size());
}

}  // namespace eflow::soflow
