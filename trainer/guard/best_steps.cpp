#include "eflow/trainer/guard/best_steps.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace eflow::trainer {

void BestSteps::note(std::int64_t step, double error) {
  if (std::isfinite(error)) errors_[step] = error;
}

void BestSteps::catch_up(const std::string& lines) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    if (line.find("\"eval_mse\"") == std::string::npos) continue;
    const auto object = nlohmann::json::parse(line, nullptr, false);
    if (!object.is_object()) continue;
    const auto step = object.find("step"), error = object.find("eval_mse");
    if (step == object.end() || error == object.end()) continue;
    if (step->is_number_integer() && error->is_number())
      note(step->get<std::int64_t>(), error->get<double>());
  }
}

std::optional<double> BestSteps::error_of(std::int64_t step) const {
  const auto found = errors_.find(step);
  return found == errors_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::int64_t> BestSteps::best(std::vector<std::int64_t> steps,
                                          std::int64_t most) const {
  std::erase_if(steps, [this](std::int64_t step) { return !errors_.contains(step); });
  std::sort(steps.begin(), steps.end(), [this](std::int64_t a, std::int64_t b) {
    return std::pair(errors_.at(a), a) < std::pair(errors_.at(b), b);
  });
  if (static_cast<std::int64_t>(steps.size()) > most) steps.resize(static_cast<std::size_t>(most));
  return steps;
}

}  // namespace eflow::trainer
