#include "eflow/trainer/step/freeze.hpp"

#include <sstream>
#include <string_view>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

/// Whether the pattern matches the whole name; * matches any text, including none.
bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  }
  return !name.empty() && pattern.front() == name.front() &&
         matches(pattern.substr(1), name.substr(1));
}

}  // namespace

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
      throw InvalidArgument(str("train.freeze: no parameter matches '", pattern,
                                "'; an example of a name is ", model->parameters().front().first));
    }
  }
  for (const auto& [name, weight] : model->parameters()) {
    if (weight.requires_grad()) return;
  }
  throw InvalidArgument(str("train.freeze: '", patterns, "' leaves no parameter to train"));
}

}  // namespace eflow::trainer
