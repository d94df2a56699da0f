#pragma once
// AdamW over a module's parameters. [arXiv 1711.05101]

#include "eflow/core/parameter_list.hpp"
#include "eflow/nn/module.hpp"

namespace eflow::nn {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.99, eps = 1e-8, weight_decay = 0;
};

class AdamW {
 public:
  /// Keeps handles on the parameters and two moments of each, at zero.
  explicit AdamW(NamedTensors parameters, const AdamWOptions& options = {});

  /// One update from the parameters' gradients, each times `grad_scale` first (clipping). A
  /// parameter without a gradient keeps its value.
  void step(double learning_rate, double grad_scale = 1);

  /// Finished updates. Set when a state is loaded.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  /// Handles on the moments: "m.NAME" and "v.NAME" of every parameter.
  [[nodiscard]] NamedTensors state() const;

  [[nodiscard]] const NamedTensors& parameters() const { return parameters_; }
  [[nodiscard]] const AdamWOptions& options() const { return options_; }
  /// Parameters and moments, for an update of all at once (FusedUpdate).
  [[nodiscard]] std::vector<ListedParameter> listed() const;

 private:
  NamedTensors parameters_;
  std::vector<Tensor> m_, v_;
  AdamWOptions options_;
  std::int64_t steps_ = 0;
};

}  // namespace eflow::nn
