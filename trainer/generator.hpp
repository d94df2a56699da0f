#pragma once
// Generator: a trained run, loaded to make clips. Needs the run's folder and nothing else.
//
//   auto generator = trainer::Generator::load("runs/sprites");
//   trainer::GeneratedClips clips = *generator.sample({.labels = {3, 3}, .steps = 4, .seed = 7});

#include <filesystem>
#include <memory>
#include <optional>

#include "eflow/nn/video_dit.hpp"
#include "eflow/soflow/sampler.hpp"
#include "eflow/trainer/checkpoint.hpp"

namespace eflow::trainer {

/// Clips on the host: pixels in [-1, 1] (a little beyond, from a network), or latents.
struct GeneratedClips {
  Shape shape;  ///< [n, C, T, H, W]
  std::vector<float> values;
  std::vector<std::int64_t> labels;  ///< [n] what was asked for
};

struct SampleRequest {
  std::vector<std::int64_t> labels;  ///< one a clip; -1: none
  int steps = 4;
  soflow::Sampler sampler = soflow::Sampler::kRenoise;
  double shift = 1, guidance = 4;  ///< guidance: w, for models that are told it
  double steer = 1;  ///< guidance scale by two evaluations (soflow::guided()); 1: none
  soflow::Unconditional steer_from = soflow::Unconditional::kNullCondition;
  bool stream = false;  ///< chunk by chunk, for causal models (is_causal())
  std::uint64_t seed = 1;
  std::int64_t first_id = 0;  ///< names clip 0: the same (seed, id) makes the same noise
  std::int64_t part = 32;     ///< clips made at once; bounds the memory, changes nothing else
  /// Network evaluations done and in all; false cancels.
  std::function<bool(std::int64_t done, std::int64_t total)> progress;
};

/// Evaluations of the network that a request takes, as its progress counts them.
[[nodiscard]] std::int64_t evaluations(const SampleRequest& request, const nn::DiTConfig& model);

/// Samples of any model: the request's labels lie in [0, classes). A model that takes a context is
/// told none. Nothing when cancelled.
/// Throws InvalidArgument for a label out of range or no labels at all.
[[nodiscard]] std::optional<GeneratedClips> sample_clips(const nn::VideoDiT& model,
                                                         const SampleRequest& request);

class Generator {
 public:
  /// Loads the averaged weights of a run's newest good checkpoint, or of the checkpoint folder given.
  /// Throws CheckpointError, CorruptData.
  [[nodiscard]] static Generator load(const std::filesystem::path& run_or_checkpoint);

  /// Causal runs' clips are made chunk by chunk, whatever the request says.
  [[nodiscard]] std::optional<GeneratedClips> sample(SampleRequest request) const {
    request.stream = is_causal(info_.config);
    return sample_clips(*model_, request);
  }
  [[nodiscard]] const nn::VideoDiT& model() const { return *model_; }
  [[nodiscard]] const CheckpointInfo& info() const { return info_; }

 private:
  Generator() = default;
  std::unique_ptr<nn::VideoDiT> model_;
  CheckpointInfo info_;
};

/// The newest good checkpoint of a run, of its last stage where it has stages, or the checkpoint itself. Throws CheckpointError.
[[nodiscard]] io::Checkpoint newest_checkpoint(const std::filesystem::path& run_or_checkpoint);

/// `count` labels that take turns: 0, 1, .. classes-1, 0, ..; -1 where there are no classes.
[[nodiscard]] std::vector<std::int64_t> labels_in_turn(std::int64_t count, std::int64_t classes);

}  // namespace eflow::trainer
