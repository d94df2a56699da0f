#pragma once
// ExactFlow: a distribution of clips whose velocities and solutions are known in closed form. It is
// the testbed on which a trained network's errors are measured exactly. The coordinates of a clip
// in a cosine basis are independent, so each map acts on one coordinate at a time (line_flow.hpp),
// while a network sees a field in which all elements depend on each other.

#include <array>
#include <span>
#include <string_view>

#include "eflow/core/base/export.hpp"
#include "eflow/soflow/exact/cosine_basis.hpp"
#include "eflow/soflow/exact/line_flow.hpp"
#include "eflow/soflow/objective/network.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

enum class ExactKind {
  kGaussian,  ///< N(mean_k, lambda_k), lambda_k ~ (1 + |k|^2)^-decay: the flow is affine
  kMixture,   ///< two peaks in each coordinate, with the same variances lambda_k
  kGuided,  ///< N(m_k, own); m_k ~ N(0, spread) is the condition of slow coordinates, else m_k = 0
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 3> kExactNames = {"gaussian", "mixture", "guided"};
[[nodiscard]] std::string_view name_of(ExactKind kind);
/// Throws InvalidArgument and lists the known names.
[[nodiscard]] ExactKind exact_kind(std::string_view name);

struct ExactOptions {
  ExactKind kind = ExactKind::kGaussian;
  Shape clip = {2, 4, 4, 4};  ///< C, T, H, W
  double decay = 1;           ///< exponent of the variances, which are 1 on average
  double own = 0.25;          ///< kGuided: variance of a coordinate around its mean
  double spread = 1;          ///< kGuided: variance of the mean
  std::uint64_t seed = 1;     ///< of the means and the clips
};

class ExactFlow {
 public:
  /// Throws InvalidArgument if own or spread is not positive, ShapeError if the clip has another
  /// rank.
  explicit ExactFlow(const ExactOptions& options);

  [[nodiscard]] const ExactOptions& options() const { return options_; }
  /// Shape of the condition m of kGuided: [K, 1 + K], one token for each of the K slow coordinates.
  /// A token holds the mean m_k and a one-hot index, so that attention can select the coordinates
  /// that a position needs. {} for the other kinds.
  [[nodiscard]] Shape context_shape() const;
  /// Number of values of one context: K (1 + K), or 0.
  [[nodiscard]] std::int64_t context_size() const;

  /// Draws clip `index` and its context into C*T*H*W and context_size() values. The result depends
  /// on the seed and the index only. Throws ShapeError for other sizes. May be called concurrently.
  void draw(std::int64_t index, std::span<double> clip, std::span<double> context) const;

  /// The velocity v(x, t) and the solution f(x, t, s), with one t and s per sample.
  /// x [B, C, T, H, W] of any floating dtype -> f64, same shape. kGuided follows
  /// v_w = w v(. | m) + (1 - w) v(.) with m and w of the condition: w = 1 without a guidance scale,
  /// w = 0 on the weak path. Throws InvalidArgument if a required context is missing.
  [[nodiscard]] Tensor velocity(const Tensor& x, const PerSample& t,
                                const nn::Condition& condition = {}) const;
  [[nodiscard]] Tensor solution(const Tensor& x, const PerSample& t, const PerSample& s,
                                const nn::Condition& condition = {}) const;
  /// Returns the exact mean velocity F as a network, in the dtype of x. *this must outlive it.
  [[nodiscard]] Network network() const;

  /// Mean and variance of each coordinate of the data, marginalised over the condition.
  [[nodiscard]] const std::vector<double>& means() const { return means_; }
  [[nodiscard]] const std::vector<double>& variances() const { return variances_; }
  /// Variance of each coordinate of the flow's samples. Equals variances() except for kGuided,
  /// where it depends on w. The means are means() for every w.
  [[nodiscard]] std::vector<double> sample_variances(double w) const;
  [[nodiscard]] const CosineBasis& basis() const { return basis_; }
  /// The lower bound of the flow-matching error at time t, mean over elements:
  /// mean_k lambda_k / sigma_t^2. Throws InvalidArgument unless the kind is kGaussian.
  [[nodiscard]] double irreducible_loss(double t) const;

 private:
  struct Jump;
  /// m of coordinate k in one context; 0 if the context does not hold it.
  [[nodiscard]] double conditional_mean(std::span<const double> context, std::size_t k) const;
  /// Replaces each coordinate y of each sample by move(jump, k, y, m).
  template <class Move>
  [[nodiscard]] Tensor each(const Tensor& x, const std::vector<Jump>& jumps,
                            const nn::Condition& condition, const Move& move) const;
  [[nodiscard]] std::vector<Jump> jumps_of(const PerSample& t, const PerSample& s,
                                           const nn::Condition& condition) const;

  ExactOptions options_;
  CosineBasis basis_;
  std::vector<double> means_, variances_;
  std::vector<MixtureLine> mixtures_;
  std::vector<std::size_t> conditioned_;  ///< coordinates whose mean the context holds
  std::vector<std::int64_t> token_of_;    ///< context token of each coordinate, or -1
};

}  // namespace eflow::soflow

EFLOW_EXPORT_END
