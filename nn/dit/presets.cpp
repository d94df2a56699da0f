// The presets of DiTConfig: one table of names and configs.

#include <algorithm>
#include <array>

#include "eflow/core/base/error.hpp"
#include "eflow/nn/dit/config.hpp"

namespace eflow::nn {
namespace {

/// A step takes milliseconds: for tests and examples.
DiTConfig tiny() {
  DiTConfig c;
  c.frames = 4;
  c.height = c.width = 8;
  c.patch = {2, 4, 4};
  c.dim = 32;
  c.heads = 2;
  c.hidden = 64;
  c.encoder = c.middle = c.decoder = 1;
  c.window_frames = 1;
  c.classes = 4;
  c.prediction = Prediction::kData;
  return c;
}

/// 32 x 32 RGB clips of 8 frames, trained in minutes on two cores.
DiTConfig small_clips() {
  DiTConfig c;
  c.classes = 9;
  c.prediction = Prediction::kData;
  c.position_table = true;
  return c;
}

/// Kinetics-700 in the latent space of a 4x8x8 VAE with 16 channels: 8 x 16 x 16 tokens. Gates per
/// channel: Eq. 7 reads as two scalars per token, but only W_g in R^(D x 2D) gives XL the 529 M
/// parameters of Tab. 2 (token gates: 463 M), and brings every size closer to its published count.
/// [arXiv 2603.27086, Tab. 5]
DiTConfig kinetics(std::int64_t dim, std::int64_t hidden, std::int64_t heads, std::int64_t ends,
                   std::int64_t middle, std::int64_t softmax_every) {
  DiTConfig c;
  c.channels = 16;
  c.frames = 8;
  c.height = c.width = 32;
  c.patch = {1, 2, 2};
  c.dim = dim;
  c.hidden = hidden;
  c.heads = heads;
  c.encoder = c.decoder = ends;
  c.middle = middle;
  c.window_frames = 4;
  c.gates = GateKind::kChannel;
  c.softmax_every = softmax_every;
  c.classes = 700;
  c.guidance_embedding = true;
  return c;
}

/// Text to video at 832 x 480, 81 frames: 21 x 30 x 52 tokens, text tokens of width 4096. Gates per
/// token, as Eq. 7 is printed: with heads of 128 channels, the gradient kernel of gates per channel
/// needs more registers than a GPU's thread has. [arXiv 2603.27086, Tab. 5]
DiTConfig text_to_video() {
  DiTConfig c = kinetics(1536, 7680, 12, 3, 22, 8);
  c.gates = GateKind::kToken;
  c.frames = 21;
  c.height = 60;
  c.width = 104;
  c.window_frames = 6;
  c.classes = 0;
  c.context_dim = 4096;
  return c;
}

struct Preset {
  std::string_view name;
  DiTConfig (*make)();
  bool for_cpu;
};

constexpr std::array<Preset, 7> kPresets = {{
    {"tiny", tiny, true},
    {"quickstart", small_clips, true},
    {"sprites", small_clips, true},
    {"B", [] { return kinetics(768, 3072, 12, 2, 10, 6); }, false},
    {"XL", [] { return kinetics(1152, 4608, 16, 3, 22, 8); }, false},
    {"XXL", [] { return kinetics(2304, 8064, 24, 4, 28, 8); }, false},
    {"1.5B", text_to_video, false},
}};

const Preset& find(std::string_view name) {
  const auto at = std::find_if(kPresets.begin(), kPresets.end(),
                               [&](const Preset& each) { return each.name == name; });
  if (at != kPresets.end()) return *at;
  std::string known;
  for (const Preset& each : kPresets) known += str(known.empty() ? "" : ", ", each.name);
  throw InvalidArgument(str("[model] unknown preset '", name, "'; use one of ", known));
}

}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Preset& each : kPresets) all.emplace_back(each.name);
    return all;
  }();
  return names;
}

bool is_cpu_preset(std::string_view name) {
  return find(name).for_cpu;
}

DiTConfig preset(std::string_view name) {
  return find(name).make();
}

}  // namespace eflow::nn
