#include "eflow/core/memory_plan.hpp"

#include <algorithm>
#include <vector>

#include "eflow/base/error.hpp"
#include "eflow/core/tensor_node.hpp"

namespace eflow {
namespace {

constexpr const char* kNames[MemoryPlan::kUses] = {"activations", "parameters", "gradients",
                                                   "moments", "averages"};

struct Lever {
  std::int64_t saves;
  const char* what;
};

std::string mebibytes(std::int64_t bytes) {
  return str(bytes >> 20, " MiB");
}

}  // namespace

std::string MemoryPlan::text() const {
  std::string out;
  std::int64_t model = 0;
  for (std::size_t i = 0; i < kUses; ++i) {
    const std::int64_t now = held_[i];
    if (static_cast<MemoryUse>(i) != MemoryUse::kActivations) model += now;
    out += str(i == 0 ? "" : ", ", kNames[i], " ", mebibytes(now));
  }
  const std::int64_t activations = bytes(MemoryUse::kActivations);
  // Recomputing keeps a block's input instead of the ten and more tensors of its size that the block saves.
  std::vector<Lever> levers{
      {activations * 9 / 10, "train.recompute = true, if it is not yet"},
      {activations / 2, "a smaller batch at once: train.accumulation twice as large"},
      {model / 2, "a model of half the parameters (model.dim, model.middle)"}};
  std::stable_sort(levers.begin(), levers.end(),
                   [](const Lever& a, const Lever& b) { return a.saves > b.saves; });
  out += "; what would help most: ";
  return out + str(levers[0].what, " (about ", mebibytes(levers[0].saves), "), ", levers[1].what,
                   " (about ", mebibytes(levers[1].saves), ")");
}

void note_use(const Tensor& tensor, MemoryUse use) {
  detail::Storage& storage = *tensor.node()->storage;
  MemoryPlan& plan = storage.device->plan();
  plan.subtract(storage.use, storage.bytes);
  plan.add(use, storage.bytes);
  storage.use = use;
}

}  // namespace eflow
