#include "eflow/trainer/freeze.hpp"

#include <sstream>

#include "eflow/base/error.hpp"

namespace eflow::trainer {

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  }
  return !name.empty() && pattern.front() == name.front() &&
         matches(pattern.substr(1), name.substr(1));
}

void freeze(const std::string& patterns, nn::Module* model) {
  std::istringstream list(patterns);
  for (std::string pattern; std::getline(list, pattern, ',');) {
    int found = 0;
    for (const auto& [name, weight] : model->parameters()) {
      if (!matches(pattern, name)) continue;
      weight.set_requires_grad(false);
      ++found;
    }
    if (found == 0) {
      throw InvalidArgument(str("train.freeze: no weight is called '", pattern,
                                "'; names are like ", model->parameters().front().first));
    }
  }
  for (const auto& [name, weight] : model->parameters()) {
    if (weight.requires_grad()) return;
  }
  throw InvalidArgument(str("train.freeze: '", patterns, "' leaves nothing to train"));
}

}  // namespace eflow::trainer
