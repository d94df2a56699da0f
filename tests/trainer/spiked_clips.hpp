#pragma once
// A data set of latents, one clip of which has values so large that its loss is not finite.

#include <cmath>

#include "eflow/io/dataset/pack.hpp"
#include "eflow/tests/trainer/tiny_run.hpp"

namespace eflow::test {

class SpikedClips final : public io::ClipSource {
 public:
  static constexpr std::int64_t kCount = 32, kSpiked = 5;
  [[nodiscard]] std::int64_t size() const override { return kCount; }
  [[nodiscard]] Shape clip_shape() const override { return {2, 4, 4, 4}; }
  [[nodiscard]] std::int64_t class_count() const override { return 4; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    for (std::size_t i = 0; i < clip.size(); ++i) {
      clip[i] = index == kSpiked ? 1e30f
                                 : static_cast<float>(std::sin(0.1 * static_cast<double>(i) +
                                                               static_cast<double>(index)));
    }
    return static_cast<std::int32_t>(index % 4);
  }
};

inline void pack_spiked_clips(const std::filesystem::path& folder) {
  io::PackOptions options;
  options.dtype = DType::kF32;
  static_cast<void>(io::pack_source(SpikedClips(), folder, "spiked", options));
}

/// A tiny run on all of these clips, which visits each once in 8 steps; it saves only at its end.
inline trainer::Config spiked_config(const std::filesystem::path& data) {
  trainer::Config c = tiny_run();
  c.data = {};
  c.data.dir = data.string();
  c.data.eval = "none";
  c.train.iterations = 8;
  return c;
}

}  // namespace eflow::test
