#include "eflow/trainer/data/split.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/order.hpp"

namespace eflow::trainer {
namespace {

/// Constant, so that every command withholds the same clips of a data set.
constexpr std::uint64_t kKey = 20260328;

std::vector<std::int64_t> count_by_class(std::span<const std::int32_t> labels,
                                         std::int64_t classes) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(std::max<std::int64_t>(classes, 1)));
  for (const std::int32_t label : labels) ++counts.at(static_cast<std::size_t>(label));
  return counts;
}

/// How many clips each class gives: its share rounded down, and one more for those with the largest
/// remainders. Equal remainders are ordered by a permutation of the classes.
std::vector<std::int64_t> quotas_of(const std::vector<std::int64_t>& counts, std::int64_t total,
                                    double share) {
  const auto n = static_cast<std::int64_t>(counts.size());
  std::vector<std::int64_t> quotas(counts.size());
  std::vector<double> remainders(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double part = share * static_cast<double>(counts[i]);
    quotas[i] = std::min(static_cast<std::int64_t>(part), std::max<std::int64_t>(counts[i] - 1, 0));
    remainders[i] = part - static_cast<double>(quotas[i]);
  }
  const io::SampleOrder order(n, kKey + 1);
  std::vector<std::size_t> ranked(counts.size());
  for (std::int64_t i = 0; i < n; ++i)
    ranked[static_cast<std::size_t>(i)] = static_cast<std::size_t>(order.index_at(i));
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  std::int64_t left = total - std::accumulate(quotas.begin(), quotas.end(), std::int64_t{0});
  for (bool gave = true; gave && left > 0;) {
    gave = false;
    for (const std::size_t i : ranked) {
      if (left == 0 || quotas[i] + 1 >= counts[i]) continue;
      ++quotas[i], --left;
      gave = true;
    }
  }
  return quotas;
}

}  // namespace

Split stratified_split(std::span<const std::int32_t> labels, std::int64_t classes, double share) {
  const auto count = static_cast<std::int64_t>(labels.size());
  const auto total = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(count)));
  auto quotas = quotas_of(count_by_class(labels, classes), total, share);
  std::vector<bool> withheld(labels.size());
  const io::SampleOrder order(count, kKey);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto clip = static_cast<std::size_t>(order.index_at(i));
    std::int64_t& quota = quotas[static_cast<std::size_t>(labels[clip])];
    if (quota > 0) withheld[clip] = true, --quota;
  }
  Split out;
  for (std::int64_t i = 0; i < count; ++i)
    (withheld[static_cast<std::size_t>(i)] ? out.held_out : out.training).push_back(i);
  return out;
}

std::string missing_classes(std::span<const std::int32_t> labels, std::int64_t classes,
                            const std::string& what) {
  if (classes == 0) return "";
  constexpr std::int64_t kNamed = 10;
  const auto counts = count_by_class(labels, classes);
  std::int64_t missing = 0;
  std::string list;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0 && ++missing <= kNamed) list += str(missing > 1 ? ", " : "", i);
  }
  if (missing == 0) return "";
  return str(missing, " of ", classes, " classes ", missing == 1 ? "has" : "have", " no ", what,
             " clips: ", list, missing > kNamed ? ", ..." : "");
}

}  // namespace eflow::trainer
