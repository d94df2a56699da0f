#include "eflow/trainer/plan/rank_plan.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/number_text.hpp"
#include "eflow/nn/attention/sequence_part.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/setup/training_memory.hpp"

namespace eflow::trainer {
namespace {

std::string seconds(double s) {
  return s < 1 ? fixed_text(1e3 * s, 2) + " ms" : fixed_text(s, 2) + " s";
}

/// Bytes that a rank with neighbours on both sides sends in one forward pass over one clip.
double attention_bytes(const nn::DiTConfig& model, const RankPlanInput& in) {
  const double parts = in.sequence, width = static_cast<double>(model.dim);
  const double tokens = static_cast<double>(model.grid().count());
  const double head = width / static_cast<double>(model.heads);
  const double radius = static_cast<double>(model.window_radius());
  double numbers = 0, sums = 0;
  for (std::int64_t block = 0; block < model.blocks(); ++block) {
    const nn::AttentionKind kind = model.attention_of(block);
    const bool full = kind == nn::AttentionKind::kSoftmax;
    const bool window = nn::is_glga(kind) && kind != nn::AttentionKind::kLinear;
    const bool linear = kind == nn::AttentionKind::kSana ||
                        (nn::is_glga(kind) && kind != nn::AttentionKind::kWindow);
    if (full) numbers += 2 * width * tokens / parts * (parts - 1);
    if (window) numbers += std::min(4 * width * radius, 2 * width * tokens / parts * (parts - 1));
    if (linear) sums += 2 * width * head * (parts - 1) / parts;
  }
  return numbers * in.compute_bytes + sums * 4;
}

/// Weights that ranks tell each other in the dtype of the blocks: the blocks' matrices.
double narrow_weights(const nn::DiTConfig& model) {
  std::int64_t count = 0;
  for (const nn::ParameterInfo& p :
       nn::VideoDiT(nn::Scope::shapes_only(), model).parameter_info()) {
    const bool in_block = p.name.starts_with("encoder.") || p.name.starts_with("middle.") ||
                          p.name.starts_with("decoder.");
    if (in_block && p.shape.rank() == 2 && p.name.ends_with(".weight"))
      count += element_count(p.shape);
  }
  return static_cast<double>(count);
}

}  // namespace

const std::vector<NetworkRate>& known_networks() {
  static const std::vector<NetworkRate> all = {
      {"nvlink4", 450e9, 3e-6},        {"infiniband-400", 50e9, 5e-6},
      {"infiniband-200", 25e9, 5e-6},  {"ethernet-100", 12.5e9, 30e-6},
      {"ethernet-25", 3.125e9, 30e-6}, {"ethernet-10", 1.25e9, 50e-6}};
  return all;
}

NetworkRate network_of(std::string_view text) {
  std::string names;
  for (const NetworkRate& network : known_networks()) {
    if (network.name == text) return network;
    names += network.name + ", ";
  }
  const std::string given(text);
  double rate = 0, latency = 0;
  int end = 0;
  const bool measured = std::sscanf(given.c_str(), "%lf,%lf%n", &rate, &latency, &end) == 2 &&
                        static_cast<std::size_t>(end) == given.size();
  if (measured && rate > 0 && latency >= 0) return {given, rate * 1e9, latency * 1e-6};
  throw InvalidArgument(str("--network: expected ", names,
                            "or GB/s and microseconds as `eflow bench comm` prints them, such as "
                            "12.5,30; found '",
                            text, "'"));
}

RankPlan plan_ranks(const nn::DiTConfig& model, const RankPlanInput& in) {
  if (in.ranks < 1 || in.sequence < 1 || in.ranks % in.sequence != 0) {
    throw InvalidArgument(str("train.sequence: expected a divisor of the number of ranks, ",
                              in.ranks, ", found ", in.sequence));
  }
  static_cast<void>(nn::frames_of_ranks(model.grid().t, in.sequence));
  const std::int64_t lanes = in.ranks / in.sequence;
  const std::int64_t shards = in.shards > 0 ? in.shards : lanes;
  if (shards < lanes || in.batch % shards != 0) {
    throw InvalidArgument(str("train.shards: expected at least the ", lanes,
                              " lanes, and a divisor of train.batch = ", in.batch, ", found ",
                              shards));
  }
  const double ranks = in.ranks, others = (ranks - 1) / ranks, parts = in.sequence;
  const double values = static_cast<double>(nn::parameter_count(model));
  const double each = std::ceil(static_cast<double>(shards) / static_cast<double>(lanes));
  RankPlan plan;
  plan.state = 8 * values + 8 * values / ranks;
  plan.gradients = 4 * values * (std::floor(std::log2(each)) + 1);
  plan.activations = in.activations / parts;
  plan.gradient_bytes = 4 * values * others;
  const double saved = (4.0 - in.compute_bytes) * narrow_weights(model);
  plan.weight_bytes = (4 * values - saved) * others * (in.average_each_step ? 2 : 1);
  // norm, weights, average, losses, decisions: one message to each other rank; gradients: one for
  // each bucket.
  // Weights and average are two if a part of them travels as bf16.
  const int of_weights = (saved > 0 ? 2 : 1) * (in.average_each_step ? 2 : 1);
  const double buckets = in.slice > 0 ? std::ceil(values / (in.slice * ranks)) : 1;
  plan.messages = (ranks - 1) * (3 + of_weights + buckets);
  if (in.sequence > 1) {
    const double clips = static_cast<double>(in.batch) / static_cast<double>(lanes);
    const double walks = in.passes * 2 / 3;  // forward and backward passes over a clip
    plan.attention_bytes = clips * walks * attention_bytes(model, in);
    const double micro_batches =
        clips / static_cast<double>(std::max<std::int64_t>(1, in.micro_batch));
    plan.messages +=
        micro_batches * walks * static_cast<double>(model.blocks()) * (2 + 2 * (parts - 1));
  }
  plan.compute_s = in.step_flops / ranks / in.flops_per_s;
  if (in.ranks > 1)
    plan.network_s = plan.bytes() / in.network.bytes_per_s + plan.messages * in.network.latency_s;
  return plan;
}

std::string describe_ranks(const nn::DiTConfig& model, const RankPlanInput& in) {
  const RankPlan plan = plan_ranks(model, in);
  const int lanes = in.ranks / in.sequence;
  std::string text = str("ranks        ", in.ranks, in.ranks == 1 ? " rank" : " ranks", " in ",
                         lanes, lanes == 1 ? " lane" : " lanes", " of ", in.sequence, ", ",
                         short_text(static_cast<double>(in.batch) / lanes, 4), " clips per lane\n");
  text +=
      str("  memory     ", describe_bytes(plan.memory()), " per rank: ", describe_bytes(plan.state),
          " of state, ", describe_bytes(plan.gradients), " of gradients, about ",
          describe_bytes(plan.activations), " of activations\n");
  text += str("  messages   ", describe_bytes(plan.bytes()), " sent per rank and step: gradients ",
              describe_bytes(plan.gradient_bytes), ", weights ", describe_bytes(plan.weight_bytes),
              in.sequence > 1 ? str(", attention about ", describe_bytes(plan.attention_bytes))
                              : std::string(),
              "\n");
  text += str("  step       ", seconds(plan.step_s()), ": ", seconds(plan.compute_s),
              " of work at ", short_text(in.flops_per_s / 1e12, 3), " TFLOP/s per rank, ",
              seconds(plan.network_s), " of messages over ", in.network.name,
              " (none of it hidden); efficiency ", fixed_text(100 * plan.efficiency(), 1), " %\n");
  return text;
}

}  // namespace eflow::trainer
