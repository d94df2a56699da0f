#pragma once
// AdamW: the optimizer, with decoupled weight decay. [arXiv 1711.05101]

#include "eflow/core/base/export.hpp"
#include "eflow/core/ops/parameter_list.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.99, eps = 1e-8, weight_decay = 0;
};

class AdamW {
 public:
  /// Keeps handles to the parameters and allocates two zero moments for each.
  explicit AdamW(NamedTensors parameters, const AdamWOptions& options = {});

  /// Updates the parameters from their gradients, which are multiplied by `grad_scale` first (for
  /// clipping). A parameter without a gradient keeps its value.
  void step(double learning_rate, double grad_scale = 1);

  /// Number of finished updates. set_steps() restores it when a state is loaded.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  /// Handles to the moments, named "m.NAME" and "v.NAME" for each parameter.
  [[nodiscard]] NamedTensors state() const;
  /// Handles to the moments by the names of their parameters.
  [[nodiscard]] NamedTensors first_moments() const { return named(m_); }
  [[nodiscard]] NamedTensors second_moments() const { return named(v_); }

  [[nodiscard]] const NamedTensors& parameters() const { return parameters_; }
  [[nodiscard]] const AdamWOptions& options() const { return options_; }
  /// Parameters with their moments, for FusedUpdate.
  [[nodiscard]] std::vector<ListedParameter> listed() const;

 private:
  [[nodiscard]] NamedTensors named(const std::vector<Tensor>& moments) const;
  NamedTensors parameters_;
  std::vector<Tensor> m_, v_;
  AdamWOptions options_;
  std::int64_t steps_ = 0;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
