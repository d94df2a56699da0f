// Renders the synthetic clips from signed distances: a pixel's distance to the outline gives its
// coverage, which makes edges smooth at any size.
#include "eflow/io/dataset/synth.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/order.hpp"

namespace eflow::io {
namespace {

using Colour = std::array<float, 3>;

/// The colours of a shape and of its core. They are paired: the core is small, and a short training
/// would not learn to keep an independent core colour consistent over a clip.
struct Paint {
  Colour fill, core;
};

// sRGB, 0..255.
constexpr std::array<Paint, 6> kPaints{{{{239, 83, 80}, {255, 250, 240}},
                                        {{251, 170, 48}, {110, 22, 52}},
                                        {{88, 190, 106}, {255, 240, 130}},
                                        {{52, 152, 230}, {255, 216, 74}},
                                        {{149, 97, 226}, {158, 240, 205}},
                                        {{240, 98, 168}, {32, 40, 78}}}};
constexpr std::array<Colour, 8> kBackgrounds{{{28, 32, 60},
                                              {70, 82, 102},
                                              {26, 70, 62},
                                              {74, 36, 80},
                                              {58, 50, 42},
                                              {18, 58, 88},
                                              {94, 44, 50},
                                              {20, 22, 26}}};

constexpr int kCombinations = kPaints.size() * kBackgrounds.size(), kHeldOutPart = 8;

constexpr std::array<const char*, 3> kShapes{"disc", "square", "star"};
constexpr std::array<const char*, 3> kMotions{"pulse", "bob", "sway"};
constexpr std::array<float, 3> kBaseTilt{0.f, 0.26f, 0.f};  // radians; the square is tilted

struct Point {
  float x, y;
};

Point rotated(Point p, float angle) {
  const float c = std::cos(angle), s = std::sin(angle);
  return {c * p.x + s * p.y, c * p.y - s * p.x};
}

/// Signed distance to a rounded square of half side r; negative inside.
float square_distance(Point p, float r) {
  const float corner = 0.28f * r;
  const float x = std::abs(p.x) - r + corner, y = std::abs(p.y) - r + corner;
  return std::hypot(std::max(x, 0.f), std::max(y, 0.f)) + std::min(std::max(x, y), 0.f) - corner;
}

/// Signed distance to a five-pointed star of outer radius r with rounded tips. By symmetry, the
/// point is folded into one half of one arm, whose edge runs from the tip to the notch between two
/// arms.
float star_distance(Point p, float r) {
  constexpr float kSector = 2 * std::numbers::pi_v<float> / 5;
  const float soft = 0.08f * r, outer = r - soft, inner = 0.5f * outer;
  float angle = std::atan2(p.x, p.y);  // 0 = up; the caller has flipped the y axis
  angle = std::abs(angle - kSector * std::round(angle / kSector));
  const float length = std::hypot(p.x, p.y);
  const Point q{length * std::sin(angle), length * std::cos(angle)};
  const Point tip{0, outer}, notch{inner * std::sin(kSector / 2), inner * std::cos(kSector / 2)};
  const Point edge{notch.x - tip.x, notch.y - tip.y}, to{q.x - tip.x, q.y - tip.y};
  const float along =
      std::clamp((to.x * edge.x + to.y * edge.y) / (edge.x * edge.x + edge.y * edge.y), 0.f, 1.f);
  const float distance = std::hypot(to.x - along * edge.x, to.y - along * edge.y);
  const bool outside = to.x * -edge.y + to.y * edge.x > 0;
  return (outside ? distance : -distance) - soft;
}

float shape_distance(int shape, Point p, float r) {
  if (shape == 0) return std::hypot(p.x, p.y) - r;
  return shape == 1 ? square_distance(p, 0.86f * r) : star_distance(p, 1.18f * r);
}

/// The placement of the shape in one frame; lengths in units of the image side.
struct Pose {
  Point centre{0.5f, 0.5f};
  float radius = 0.31f, tilt = 0;
};

/// The pose at a phase in [0, 1) of the loop; it depends only on the class.
Pose pose_of(int shape, int motion, float phase) {
  const float wave = std::sin(2 * std::numbers::pi_v<float> * phase);
  Pose pose;
  pose.tilt = kBaseTilt[static_cast<std::size_t>(shape)];
  if (motion == 0) {
    pose.radius *= 1 + 0.27f * wave;
  } else if (motion == 1) {
    pose.centre.y -= 0.14f * wave;
  } else {
    pose.centre.x += 0.14f * wave;
    pose.tilt += 0.42f * wave;
  }
  return pose;
}

/// The fraction of a pixel of side `pixel` that is inside, at signed distance `distance`.
float coverage(float distance, float pixel) {
  return std::clamp(0.5f - distance / pixel, 0.f, 1.f);
}

Colour mixed(const Colour& from, const Colour& to, float amount) {
  Colour out;
  for (std::size_t k = 0; k < 3; ++k) out[k] = from[k] + (to[k] - from[k]) * amount;
  return out;
}

Colour scaled(const Colour& colour, float factor) {
  Colour out;
  for (std::size_t k = 0; k < 3; ++k) out[k] = std::clamp(colour[k] * factor, 0.f, 255.f);
  return out;
}

/// The class and the colours of one clip.
struct Look {
  int shape, motion;
  Paint paint;
  Colour background;
};

/// The colour of one point of one frame, composed of background, soft shadow, shape (lit from
/// above) and core.
Colour colour_at(const Look& look, const Pose& pose, Point at, float pixel) {
  const auto distance = [&](Point p, float radius) {
    const Point local = rotated({p.x - pose.centre.x, pose.centre.y - p.y}, -pose.tilt);
    return shape_distance(look.shape, local, radius);
  };
  Colour colour = scaled(look.background, 1.08f - 0.22f * at.y);
  const float shadow = distance({at.x - 0.02f, at.y - 0.045f}, pose.radius);
  colour = scaled(colour, 1 - 0.38f * coverage(shadow, 0.09f + pixel));
  const float light = 1.1f - 0.22f * (at.y - pose.centre.y + pose.radius) / (2 * pose.radius);
  colour =
      mixed(colour, scaled(look.paint.fill, light), coverage(distance(at, pose.radius), pixel));
  return mixed(colour, look.paint.core, coverage(distance(at, 0.48f * pose.radius), pixel));
}

Look look_of(std::int32_t label, int combination) {
  const auto row = static_cast<std::size_t>(combination) / kBackgrounds.size();
  const auto column = static_cast<std::size_t>(combination) % kBackgrounds.size();
  return {label / 3, label % 3, kPaints[row], kBackgrounds[column]};
}

}  // namespace

SynthShapes::SynthShapes(SynthOptions options) : options_(options) {
  if (options.frames < 2 || options.frames > 256 || options.size < 8 || options.size > 512) {
    throw InvalidArgument(str("[synth] ", options.frames, " frames of ", options.size,
                              " pixels; expected 2 to 256 frames of 8 to 512 pixels"));
  }
  constexpr int kHeldOut = kCombinations / kHeldOutPart;
  const SampleOrder order(kCombinations, options.seed);
  const int begin = options.split == SynthSplit::kHeldOut ? kCombinations - kHeldOut : 0;
  const int end = options.split == SynthSplit::kTrain ? kCombinations - kHeldOut : kCombinations;
  for (int i = begin; i < end; ++i) combinations_.push_back(static_cast<int>(order.index_at(i)));
}

std::int64_t SynthShapes::size() const {
  return 9 * static_cast<std::int64_t>(combinations_.size());
}

Shape SynthShapes::clip_shape() const {
  return {3, options_.frames, options_.size, options_.size};
}

std::vector<std::string> SynthShapes::class_names() const {
  std::vector<std::string> names;
  for (const char* shape : kShapes) {
    for (const char* motion : kMotions) names.push_back(str(shape, " ", motion));
  }
  return names;
}

std::int32_t SynthShapes::read(std::int64_t index, std::span<float> clip) const {
  if (index < 0 || index >= size())
    throw InvalidArgument(
        str("[synth] clip index ", index, " is out of range: there are ", size()));
  if (static_cast<std::int64_t>(clip.size()) != element_count(clip_shape())) {
    throw InvalidArgument(
        str("[synth] the buffer holds ", clip.size(), " floats, but a clip is ", clip_shape()));
  }
  const auto label = static_cast<std::int32_t>(index % 9);
  const Look look = look_of(label, combinations_[static_cast<std::size_t>(index / 9)]);
  const int side = options_.size;
  const float pixel = 1.f / static_cast<float>(side);
  const std::size_t plane = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  const std::size_t channel = plane * static_cast<std::size_t>(options_.frames);
  std::size_t out = 0;
  for (int frame = 0; frame < options_.frames; ++frame) {
    // An offset of a quarter frame makes the motion visible even with two frames.
    const float phase = (static_cast<float>(frame) + 0.25f) / static_cast<float>(options_.frames);
    const Pose pose = pose_of(look.shape, look.motion, phase);
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x, ++out) {
        const Point at{(static_cast<float>(x) + 0.5f) * pixel,
                       (static_cast<float>(y) + 0.5f) * pixel};
        const Colour colour = colour_at(look, pose, at, pixel);
        for (std::size_t k = 0; k < 3; ++k)
          clip[k * channel + out] = std::clamp(colour[k] / 127.5f - 1, -1.f, 1.f);
      }
    }
  }
  return label;
}

}  // namespace eflow::io
