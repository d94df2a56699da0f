#pragma once
// Evaluation: what a run does with its averaged weights after some of the steps: it measures the
// held-out error and writes previews.

#include <cstdint>
#include <optional>

#include "eflow/core/tensor/tensor.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/ranks/rank_grid.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/step/held_out.hpp"
#include "eflow/trainer/step/metrics.hpp"
#include "eflow/trainer/step/side_output.hpp"

namespace eflow::trainer {

struct Parts;

/// True every `every` steps and at the last one; never if `every` is 0.
[[nodiscard]] bool is_due(std::int64_t step, std::int64_t every, std::int64_t last);

/// All ranks must call measure() and preview() together, each for its clips. Those gather the average
/// (Trainer::gather_average()) if they need it.
class Evaluation {
 public:
  /// Chooses the clips and the contexts of previews, which never change. All must outlive this object.
  Evaluation(const Config& config, const Parts& parts, const RankGrid& grid);

  /// After a step whose turn it is (eval.every): fills eval_mse.
  void measure(StepMetrics* metrics);
  /// After a step whose turn it is (sample.every): rank 0 writes the pictures of all ranks.
  void preview(std::int64_t step, const RunDirectory& directory);

 private:
  void write_pictures_of(std::int64_t step, const std::vector<float>& values,
                         const RunDirectory& directory) const;

  const Config& config_;
  const Parts& parts_;
  const RankGrid& grid_;
  std::optional<HeldOutError> held_out_;
  Tensor contexts_;  ///< of the previews' clips; undefined if the model takes no text
  SideOutput errors_, previews_;
};

}  // namespace eflow::trainer
