#include "eflow/core/tensor/memory_plan.hpp"

#include <algorithm>
#include <vector>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/tensor_node.hpp"

namespace eflow {
namespace {

/// By MemoryUse.
constexpr const char* kNames[MemoryPlan::kUses] = {"activations", "parameters", "gradients",
                                                   "moments", "averages"};

/// A change to the options, and the bytes it saves.
struct Saving {
  std::int64_t bytes;
  const char* change;
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
  // Recomputation keeps a block's input instead of the ten or more tensors of that size that a
  // block saves.
  std::vector<Saving> savings{
      {activations * 9 / 10, "train.recompute = true, if it is not set"},
      {activations / 2, "a smaller micro-batch: double train.accumulation"},
      {model / 2, "a model with half the parameters (model.dim, model.middle)"}};
  std::stable_sort(savings.begin(), savings.end(),
                   [](const Saving& a, const Saving& b) { return a.bytes > b.bytes; });
  out += "; the largest savings: ";
  return out + str(savings[0].change, " (about ", mebibytes(savings[0].bytes), "), ",
                   savings[1].change, " (about ", mebibytes(savings[1].bytes), ")");
}

void note_use(const Tensor& tensor, MemoryUse use) {
  detail::Storage& storage = *tensor.node()->storage;
  MemoryPlan& plan = storage.device->plan();
  plan.subtract(storage.use, storage.bytes);
  plan.add(use, storage.bytes);
  storage.use = use;
}

}  // namespace eflow
