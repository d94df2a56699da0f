#pragma once
// What a step costs each of many ranks, by formula: memory, messages and time, for planning without
// the machines. docs/scaling.md describes the model.

#include <string>
#include <string_view>
#include <vector>

#include "eflow/nn/dit/config.hpp"

namespace eflow::trainer {

/// A link between two ranks. Rates are per rank and direction.
struct NetworkRate {
  std::string name = {};
  double bytes_per_s = 0;
  double latency_s = 0;  ///< of one message
};

/// Networks by name, with the rates of their data sheets and usual latencies.
[[nodiscard]] const std::vector<NetworkRate>& known_networks();
/// The network with this name, or one with measured rates: "GB/S,MICROSECONDS", as
/// `eflow bench comm` prints them. Throws InvalidArgument and lists the names.
[[nodiscard]] NetworkRate network_of(std::string_view text);

struct RankPlanInput {
  int ranks = 1;
  int sequence = 1;         ///< ranks per clip
  std::int64_t batch = 1;   ///< clips per step, on all ranks
  std::int64_t shards = 0;  ///< 0: one per lane
  bool average_each_step = false;
  double step_flops = 0;         ///< of all ranks together
  double passes = 3;             ///< forward passes per clip, a backward pass counting as two
  double activations = 0;        ///< bytes of one micro-batch of whole clips
  std::int64_t micro_batch = 1;  ///< its clips
  double slice = 524288;         ///< values of a rank in a bucket of the gradient; 0: one bucket
  int compute_bytes = 4;         ///< per number in the blocks
  double flops_per_s = 0;        ///< that a rank sustains
  NetworkRate network = {};
};

/// Of each rank. Bytes, bytes per step, seconds per step.
struct RankPlan {
  double state = 0, gradients = 0, activations = 0;
  double gradient_bytes = 0, weight_bytes = 0, attention_bytes = 0;  ///< sent
  double messages = 0;                                               ///< number of them
  double compute_s = 0, network_s = 0;
  [[nodiscard]] double memory() const { return state + gradients + activations; }
  [[nodiscard]] double bytes() const { return gradient_bytes + weight_bytes + attention_bytes; }
  [[nodiscard]] double step_s() const { return compute_s + network_s; }
  [[nodiscard]] double efficiency() const { return compute_s / step_s(); }
};

/// Throws InvalidArgument for ranks that `sequence` does not divide, and for more lanes than shards
/// or clips.
[[nodiscard]] RankPlan plan_ranks(const nn::DiTConfig& model, const RankPlanInput& input);

/// Some lines for people.
[[nodiscard]] std::string describe_ranks(const nn::DiTConfig& model, const RankPlanInput& input);

}  // namespace eflow::trainer
