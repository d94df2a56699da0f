#include "eflow/trainer/eval/clip_spectra.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/soflow/exact/cosine_basis.hpp"

namespace eflow::trainer {
namespace {

/// Accumulates the mean power of each bin.
class Bins {
 public:
  void add(std::size_t bin, double power) {
    if (bin >= sums_.size()) sums_.resize(bin + 1), counts_.resize(bin + 1);
    sums_[bin] += power;
    counts_[bin] += 1;
  }
  [[nodiscard]] std::vector<double> means() const {
    std::vector<double> means = sums_;
    for (std::size_t i = 0; i < means.size(); ++i) means[i] /= std::max(1.0, counts_[i]);
    return means;
  }

 private:
  std::vector<double> sums_, counts_;
};

}  // namespace

ClipSpectra spectra_of(std::span<const float> values, const Shape& shape) {
  if (shape.rank() != 5 || static_cast<std::int64_t>(values.size()) != element_count(shape)) {
    throw ShapeError(str("[spectra] expected clips [n, C, T, H, W], found ", shape, " and ",
                         values.size(), " values"));
  }
  const soflow::CosineBasis basis({shape[1], shape[2], shape[3], shape[4]});
  const auto size = static_cast<std::size_t>(basis.size());
  Bins frame, motion;
  for (std::size_t begin = 0; begin < values.size(); begin += size) {
    std::vector<double> clip(values.begin() + static_cast<std::ptrdiff_t>(begin),
                             values.begin() + static_cast<std::ptrdiff_t>(begin + size));
    basis.to_coordinates(clip);
    for (std::size_t k = 0; k < size; ++k) {
      const auto [t, h, w] = basis.waves(static_cast<std::int64_t>(k));
      const double power = clip[k] * clip[k];
      frame.add(static_cast<std::size_t>(std::llround(std::hypot(h, w))), power);
      if (t > 0) motion.add(static_cast<std::size_t>(t - 1), power);
    }
  }
  return {frame.means(), motion.means()};
}

double decibels_apart(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size() || a.empty()) {
    throw InvalidArgument(str("[spectra] expected equal, positive numbers of bins; found ",
                              a.size(), " and ", b.size()));
  }
  const double largest =
      std::max(*std::max_element(a.begin(), a.end()), *std::max_element(b.begin(), b.end()));
  if (largest == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double floor = 1e-12 * largest;
    const double apart = 10 * std::log10(std::max(a[i], floor) / std::max(b[i], floor));
    sum += apart * apart;
  }
  return std::sqrt(sum / static_cast<double>(a.size()));
}

}  // namespace eflow::trainer
