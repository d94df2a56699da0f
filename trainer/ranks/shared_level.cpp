#include "eflow/trainer/ranks/shared_level.hpp"

#include <algorithm>

#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/trainer/ranks/step_report.hpp"

namespace eflow::trainer {

std::optional<double> shared_level(
    const std::vector<soflow::Batch>& own_parts,
    const std::function<std::optional<double>(const std::vector<soflow::Batch>&)>& level_of,
    comm::Communicator* ranks, std::int64_t step, std::int64_t sequence) {
  StepReport own;  // of each part, the mean and the number of its points
  for (const soflow::Batch& part : own_parts) {
    const auto points = std::count_if(part.indices.begin(), part.indices.end(), [](std::int64_t i) {
      return soflow::anyflow_jump(i) == soflow::AnyFlowJump::kPoint;
    });
    const std::optional<double> mean = level_of({part});
    if (ranks->rank() % sequence != 0) continue;  // the others would repeat it
    own.losses.push_back(mean.value_or(0));
    own.ids.push_back(mean ? points : 0);
  }
  const StepReport all = merged(own, ranks, step + 1);
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < all.losses.size(); ++i) {
    sum += all.losses[i] * static_cast<double>(all.ids[i]);
    count += static_cast<double>(all.ids[i]);
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

}  // namespace eflow::trainer
