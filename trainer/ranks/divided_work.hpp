#pragma once
// Work that ranks divide and whose results all of them need: an evaluation, or samples.

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eflow/trainer/ranks/rank_grid.hpp"

namespace eflow::trainer {

/// What all ranks have computed, or why one could not.
template <class T>
class DividedResult {
 public:
  DividedResult(std::vector<T> values, std::string problem)
      : values_(std::move(values)), problem_(std::move(problem)) {}
  /// The values of all ranks, in rank order. Throws Error if a rank's part failed.
  [[nodiscard]] const std::vector<T>& values() const {
    if (!problem_.empty()) throw Error(problem_);
    return values_;
  }

 private:
  std::vector<T> values_;
  std::string problem_;
};

/// Texts of all ranks, in rank order, of which each begins with '+' and the bytes of its part, or
/// with '-' and why the part failed.
[[nodiscard]] std::vector<std::string> gather_parts(const RankGrid& grid, const comm::Call& call,
                                                    const std::function<std::string()>& part);

/// Calls part() on every rank and collects the values of the lanes. All ranks must call it, and all
/// get the same result. A part that throws spoils the result and nothing else; only comm::PeerError
/// is thrown, and, if several ranks of a lane work on the part together, what part() throws: they
/// may be in different places then.
template <class T>
[[nodiscard]] DividedResult<T> divide_work(const RankGrid& grid, const comm::Call& call,
                                           const std::function<std::vector<T>()>& part) {
  std::vector<T> values;
  std::string problem;
  const auto texts = gather_parts(grid, call, [&] {
    const std::vector<T> own = part();
    return std::string(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(T));
  });
  for (std::size_t r = 0; r < texts.size(); ++r) {
    const std::string_view bytes = std::string_view(texts[r]).substr(1);
    if (texts[r][0] == '-') {
      const std::string who = texts.size() > 1 ? str("rank ", r, ": ") : std::string();
      if (problem.empty()) problem = str(who, bytes);
      continue;
    }
    const std::size_t before = values.size();
    values.resize(before + bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(values.data() + before, bytes.data(), bytes.size());
  }
  return {std::move(values), std::move(problem)};
}

}  // namespace eflow::trainer
