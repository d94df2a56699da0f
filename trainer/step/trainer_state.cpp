#include "eflow/trainer/step/trainer_state.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/ranks/slice_gather.hpp"

namespace eflow::trainer {

void append(const std::string& prefix, const nn::NamedTensors& from, nn::NamedTensors* to) {
  for (const auto& [name, tensor] : from) to->emplace_back(prefix + name, tensor);
}

nn::NamedTensors collect_state(const std::vector<StateGroup>& groups,
                               const nn::NamedTensors& weights, const FlatLayout& layout,
                               comm::Communicator* ranks, const comm::Call& call) {
  nn::NamedTensors all;
  for (const StateGroup& group : groups) {
    const nn::NamedTensors divided = collect_slices(layout, group.own, weights, ranks, call);
    const std::map<std::string, Tensor> whole(divided.begin(), divided.end());
    for (const auto& [name, tensor] : group.all) {
      const auto found = whole.find(name);
      all.emplace_back(group.prefix + name, found != whole.end() ? found->second : tensor);
    }
  }
  return all;
}

void require_same(const std::vector<std::pair<std::string, TensorSpec>>& expected,
                  const std::map<std::string, Tensor>& found) {
  std::string problems;
  for (const auto& [name, spec] : expected) {
    const auto at = found.find(name);
    if (at == found.end()) {
      problems += str("\n  ", name, ": missing");
    } else if (at->second.shape() != spec.shape) {
      problems += str("\n  ", name, ": expected ", spec.shape, ", found ", at->second.shape());
    }
  }
  if (found.size() > expected.size())
    problems += str("\n  ", found.size() - expected.size(), " surplus names");
  if (!problems.empty())
    throw InvalidArgument("[trainer] the state belongs to another model:" + problems);
}

void assign_all(const std::string& prefix, const nn::NamedTensors& targets,
                const std::map<std::string, Tensor>& sources) {
  for (const auto& [name, target] : targets) target.assign(sources.at(prefix + name));
}

void assign_part(const StateGroup& group, const std::map<std::string, Tensor>& sources,
                 const FlatLayout& layout, int rank) {
  nn::NamedTensors whole;
  for (const auto& [name, tensor] : group.all)
    whole.emplace_back(name, sources.at(group.prefix + name));
  const nn::NamedTensors parts = own_part(layout, whole, rank);
  for (std::size_t i = 0; i < group.own.size(); ++i) group.own[i].second.assign(parts[i].second);
}

}  // namespace eflow::trainer
