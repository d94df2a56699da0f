#include "eflow/trainer/ranks/state_part.hpp"

#include <map>
#include <utility>

#include "eflow/core/ops/parameter_list.hpp"
#include "eflow/io/checkpoint/divided_save.hpp"

namespace eflow::trainer {

static_assert(ParameterList::kPerBlock % static_cast<std::int64_t>(io::kSaveBlock) == 0,
              "slices of the state must be parts that a checkpoint takes");

void add_state_parts(const std::string& prefix, const nn::NamedTensors& all,
                     const nn::NamedTensors& divided, const FlatLayout& layout,
                     const nn::NamedTensors& own, int rank, StateParts* parts) {
  std::map<std::string, std::int64_t> first;
  for (const Piece& piece : layout.pieces(rank))
    first[divided[piece.parameter].first] = piece.begin;
  std::map<std::string, std::pair<std::int64_t, Tensor>> saved;
  for (const auto& [name, tensor] : divided) saved[name] = {0, {}};
  for (const auto& [name, values] : own) saved.at(name) = {first[name], values};
  for (const auto& [name, tensor] : all) {
    const auto found = saved.find(name);
    StatePart part{prefix + name, tensor.spec()};
    if (found != saved.end()) {
      part.first = found->second.first;
      part.values = found->second.second;
    }
    const bool is_divided = found != saved.end() && tensor.count() > 0;
    if (rank == 0 && !is_divided) part.values = tensor;
    if (rank == 0 || part.values.defined()) parts->push_back(std::move(part));
  }
}

void add_state_parts(const std::string& prefix, const nn::NamedTensors& all, int rank, int ranks,
                     StateParts* parts) {
  const FlatLayout layout(all, ranks);
  add_state_parts(prefix, all, all, layout, own_part(layout, all, rank), rank, parts);
}

}  // namespace eflow::trainer
