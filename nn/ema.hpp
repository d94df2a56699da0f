#pragma once
// Ema: an exponential moving average of a model's weights, kept in the weights of a second model of
// the same shape, which can so be evaluated at any time:
//
//   VideoDiT average(scope, config);
//   Ema ema(average.parameters(), model.parameters(), {.decay = 0.999});
//   ... after each optimizer step: ema.update();

#include "eflow/nn/module.hpp"

namespace eflow::nn {

struct EmaOptions {
  double decay = 0.9999;
  /// Start at min(decay, (1 + k) / (10 + k)) after k updates, so that a short run forgets its
  /// initial weights.
  bool warmup = true;
};

/// The decay of update k, counted from 0.
[[nodiscard]] double ema_decay(const EmaOptions& options, std::int64_t k);

class Ema {
 public:
  /// Copies the values into the averages and turns gradients of the averages off. Throws
  /// InvalidArgument where the names differ.
  Ema(NamedTensors averages, NamedTensors values, const EmaOptions& options = {});

  void update();

  [[nodiscard]] const NamedTensors& averages() const { return averages_; }
  /// The decay of the update under way, which counts as done from here: for who does it (FusedUpdate).
  [[nodiscard]] double take_update() { return ema_decay(options_, updates_++); }

  /// Finished updates. Set when a state is loaded; the averages are the second model's state.
  [[nodiscard]] std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  NamedTensors averages_, values_;
  EmaOptions options_;
  std::int64_t updates_ = 0;
};

}  // namespace eflow::nn
