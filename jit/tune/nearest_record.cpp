#include "eflow/jit/tune/nearest_record.hpp"

#include <algorithm>
#include <cstdlib>

#include "eflow/jit/tune/race.hpp"

namespace eflow::jit {
namespace {

/// More than any difference of sizes.
constexpr int kOtherDevice = 1 << 12;

bool is_comparable(const TuningRecord& a, const TuningRecord& b) {
  return a.finished && a.key.kernel.name == b.key.kernel.name &&
         a.key.kernel.spec == b.key.kernel.spec && a.text == b.text && a.tunables == b.tunables;
}

/// Factors of two between the sizes, summed.
int distance(const TuningKey& a, const TuningKey& b) {
  int out = a.device == b.device && a.arch == b.arch ? 0 : kOtherDevice;
  for (int i = 0; i < ShapeBucket::kSizes; ++i) {
    const auto byte = [i](const TuningKey& key) {
      return static_cast<int>(key.shape.code >> (8 * i) & 0xff);
    };
    out += std::abs(byte(a) - byte(b));
  }
  return out;
}

}  // namespace

const TuningRecord* nearest_record(const std::vector<TuningRecord>& known,
                                   const TuningRecord& record) {
  const TuningRecord* best = nullptr;
  for (const TuningRecord& other : known) {
    if (!is_comparable(other, record)) continue;
    if (best == nullptr || distance(other.key, record.key) < distance(best->key, record.key))
      best = &other;
  }
  return best;
}

std::vector<int> fastest_configs(const TuningRecord& of, const TuningRecord& record,
                                 std::size_t most) {
  struct Timed {
    double median = 0;
    int index = 0;
  };
  std::vector<Timed> timed;
  for (const ConfigRecord& config : of.configs) {
    const int index = record.find(config.values);
    if (index >= 0 && config.state == ConfigState::kOk && !config.us.empty())
      timed.push_back({median_interval(config.us).median, index});
  }
  std::stable_sort(timed.begin(), timed.end(),
                   [](const Timed& a, const Timed& b) { return a.median < b.median; });
  std::vector<int> out;
  for (const Timed& t : timed) {
    if (out.size() < most) out.push_back(t.index);
  }
  return out;
}

}  // namespace eflow::jit
