#include "eflow/jit/tune/workload.hpp"

#include <cmath>

#include "eflow/jit/kernel_builder.hpp"

namespace eflow::jit {

void define_texts(KernelDefinitions& definitions, const std::vector<TunableKernel>& kernels) {
  for (const TunableKernel& k : kernels) {
    if (k.is_text()) definitions.add(k.definition);
  }
}

double relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  if (a.size() != b.size()) return kInfinite;
  double difference = 0, largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) != std::isnan(b[i])) return kInfinite;
    if (std::isnan(a[i]) || a[i] == b[i]) continue;  // covers infinities of equal sign
    difference = std::max(difference, std::abs(a[i] - b[i]));
  }
  for (const double x : b) {
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  }
  return difference == 0 ? 0 : difference / std::max(largest, std::numeric_limits<double>::min());
}

}  // namespace eflow::jit
