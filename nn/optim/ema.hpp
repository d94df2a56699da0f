#pragma once
// Ema: an exponential moving average of a model's weights, stored in the weights of a second model
// of the same architecture, which can be evaluated at any time:
//
//   VideoDiT average(scope, config);
//   Ema ema(average.parameters(), model.parameters(), {.decay = 0.999});
//   ... after each optimizer step: ema.update();

#include "eflow/core/base/export.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

struct EmaOptions {
  double decay = 0.9999;
  /// Use the decay min(decay, (1 + k) / (10 + k)) after k updates, so that short runs forget their
  /// initial weights.
  bool warmup = true;
};

/// Returns the decay of update k, counted from 0.
[[nodiscard]] double ema_decay(const EmaOptions& options, std::int64_t k);

class Ema {
 public:
  /// Copies the values into the averages and disables gradients of the averages. Throws
  /// InvalidArgument if the names differ.
  Ema(NamedTensors averages, NamedTensors values, const EmaOptions& options = {});

  /// Moves the averages towards the current values.
  void update();

  [[nodiscard]] const NamedTensors& averages() const { return averages_; }
  /// Counts one update and returns its decay, for a caller that applies it (FusedUpdate).
  [[nodiscard]] double take_update() { return ema_decay(options_, updates_++); }

  /// Number of finished updates. set_updates() restores it when a state is loaded; the averages
  /// themselves are the second model's state.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  NamedTensors averages_, values_;
  EmaOptions options_;
  std::int64_t updates_ = 0;
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
