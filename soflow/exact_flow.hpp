#pragma once
// ExactFlow: a distribution of clips whose velocities and solutions are known in closed form: the
// testbed on which a trained network's errors are measured, not estimated. Its coordinates in a
// cosine basis are independent, so all maps are maps of one coordinate (line_flow.hpp), while a
// network sees a field whose elements all depend on each other.

#include <span>
#include <string_view>

#include "eflow/soflow/cosine_basis.hpp"
#include "eflow/soflow/line_flow.hpp"
#include "eflow/soflow/network.hpp"

namespace eflow::soflow {

enum class ExactKind {
  kGaussian,  ///< N(mean_k, lambda_k), lambda_k ~ (1 + |k|^2)^-decay: the flow is affine
  kMixture,   ///< two peaks in every coordinate, with the same variances lambda_k
  kGuided,    ///< N(m_k, own), m_k ~ N(0, spread) told for the slowest half waves, else 0
};

/// "gaussian", "mixture", "guided".
[[nodiscard]] std::string_view name_of(ExactKind kind);
/// Throws InvalidArgument listing the known names.
[[nodiscard]] ExactKind exact_kind(std::string_view name);

struct ExactOptions {
  ExactKind kind = ExactKind::kGaussian;
  Shape clip = {2, 4, 4, 4};  ///< C, T, H, W
  double decay = 1;           ///< of the variances, which are 1 on average
  double own = 0.25;          ///< kGuided: variance of a coordinate around its mean
  double spread = 1;          ///< kGuided: variance of the mean
  std::uint64_t seed = 1;     ///< of means and clips
};

class ExactFlow {
 public:
  /// Throws InvalidArgument for a variance that is not positive, ShapeError for another rank.
  explicit ExactFlow(const ExactOptions& options);

  [[nodiscard]] const ExactOptions& options() const { return options_; }
  /// The condition m of kGuided as a network is told it, [K, 1 + K]: a token for each of the K
  /// coordinates with at most one half wave along each axis, its mean m_k and then which it is, a
  /// one among zeros, so that attention can choose what a place needs. {} for other kinds.
  [[nodiscard]] Shape context_shape() const;
  /// Values of one context: K (1 + K), or 0.
  [[nodiscard]] std::int64_t context_size() const;

  /// Clip `index` and its context, C*T*H*W and context_size() values. May be called from several
  /// threads.
  void draw(std::int64_t index, std::span<double> clip, std::span<double> context) const;

  /// v(x, t) of the whole batch's t, and f(x, t, s): f64, of x [B, C, T, H, W] of any floating
  /// dtype. kGuided follows v_w = w v(. | m) + (1 - w) v(.), with m and w of the condition: no
  /// guidance told is w = 1, the weak path is w = 0. Throws InvalidArgument without a context that
  /// is needed.
  [[nodiscard]] Tensor velocity(const Tensor& x, const PerSample& t,
                                const nn::Condition& condition = {}) const;
  [[nodiscard]] Tensor solution(const Tensor& x, const PerSample& t, const PerSample& s,
                                const nn::Condition& condition = {}) const;
  /// The network that has learned all of this, in the dtype of x. *this must outlive it.
  [[nodiscard]] Network network() const;

  /// Mean and variance of each coordinate of the data, whatever the condition.
  [[nodiscard]] const std::vector<double>& means() const { return means_; }
  [[nodiscard]] const std::vector<double>& variances() const { return variances_; }
  /// Variance of each coordinate of what the flow makes of noise: variances() but for kGuided, where
  /// it depends on w. Their means are means() for every w.
  [[nodiscard]] std::vector<double> sample_variances(double w) const;
  [[nodiscard]] const CosineBasis& basis() const { return basis_; }
  /// What no network's flow-matching error gets below at time t, mean over elements:
  /// mean_k lambda_k / sigma_t^2. Throws InvalidArgument for other kinds than kGaussian.
  [[nodiscard]] double irreducible_loss(double t) const;

 private:
  struct Way;
  /// m of coordinate k in one context; 0 where it is not told.
  [[nodiscard]] double told_mean(std::span<const double> context, std::size_t k) const;
  /// x with every coordinate k of every sample replaced by move(way, k, y, m).
  template <class Move>
  [[nodiscard]] Tensor each(const Tensor& x, const std::vector<Way>& ways,
                            const nn::Condition& condition, const Move& move) const;
  [[nodiscard]] std::vector<Way> ways_of(const PerSample& t, const PerSample& s,
                                         const nn::Condition& condition) const;

  ExactOptions options_;
  CosineBasis basis_;
  std::vector<double> means_, variances_;
  std::vector<MixtureLine> mixtures_;
  std::vector<std::size_t> told_;    ///< coordinates that the condition holds
  std::vector<std::int64_t> place_;  ///< of a coordinate in the condition, or -1
};

}  // namespace eflow::soflow
