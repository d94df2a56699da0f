#include "eflow/trainer/checkpoints/checkpoint_diff.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "eflow/core/base/number_text.hpp"
#include "eflow/trainer/options/option_text.hpp"
#include "eflow/trainer/run/checkpoint.hpp"

namespace eflow::trainer {
namespace {

template <class T>
std::string compare_values(const io::LoadedArray& a, const io::LoadedArray& b) {
  const std::size_t count = a.bytes.size() / sizeof(T);
  std::size_t differ = 0;
  double largest = 0, squares = 0, of_a = 0;
  for (std::size_t i = 0; i < count; ++i) {
    T x, y;
    std::memcpy(&x, a.bytes.data() + i * sizeof(T), sizeof(T));
    std::memcpy(&y, b.bytes.data() + i * sizeof(T), sizeof(T));
    differ += std::memcmp(&x, &y, sizeof(T)) != 0;
    const double difference = static_cast<double>(y) - static_cast<double>(x);
    largest = std::max(largest, std::abs(difference));
    squares += difference * difference;
    of_a += static_cast<double>(x) * static_cast<double>(x);
  }
  return str(differ, " of ", count, " values differ, by at most ", short_text(largest, 3), ", by ",
             of_a > 0 ? short_text(std::sqrt(squares / of_a), 3) : std::string("inf"),
             " of the norm");
}

/// "" if the two arrays have the same bits.
std::string compare_arrays(const io::LoadedArray& a, const io::LoadedArray& b) {
  if (a.dtype != b.dtype || a.shape != b.shape)
    return str(a.shape, " ", a.dtype, ", the other ", b.shape, " ", b.dtype);
  if (a.bytes == b.bytes) return "";
  if (a.dtype == DType::kF32) return compare_values<float>(a, b);
  if (a.dtype == DType::kF64) return compare_values<double>(a, b);
  return "other values";
}

std::vector<std::string> compare_facts(const io::Checkpoint& first, const io::Checkpoint& second) {
  CheckpointInfo a = info_of(first), b = info_of(second);
  std::vector<std::string> lines;
  const auto compare = [&](const std::string& what, const auto& x, const auto& y) {
    if (x != y) lines.push_back(str(what, ": ", x, ", the other ", y));
  };
  compare("step", a.step, b.step);
  compare("data set", a.data.fingerprint, b.data.fingerprint);
  compare("instruction set", a.isa, b.isa);
  compare("threads", a.threads, b.threads);
  compare("steps without an update", a.history.skipped, b.history.skipped);
  for (const auto& d : differences(options_of(a.config), options_of(b.config)))
    compare(d.key, d.before, d.now);
  return lines;
}

}  // namespace

CheckpointDiff compare_checkpoints(const io::Checkpoint& a, const io::Checkpoint& b) {
  CheckpointDiff diff{.facts = compare_facts(a, b), .arrays = {}};
  for (const io::ArrayInfo& array : a.arrays()) {
    if (!b.contains(array.name)) {
      diff.arrays.push_back(array.name + ": only in the first");
      continue;
    }
    const std::string text = compare_arrays(a.load_one(array.name), b.load_one(array.name));
    if (text.empty()) ++diff.equal;
    if (!text.empty()) diff.arrays.push_back(array.name + ": " + text);
  }
  for (const io::ArrayInfo& array : b.arrays()) {
    if (!a.contains(array.name)) diff.arrays.push_back(array.name + ": only in the other");
  }
  return diff;
}

}  // namespace eflow::trainer
