#pragma once
// Generator: a trained run, loaded for sampling. It needs the run's folder and no data set.
//
//   auto generator = trainer::Generator::load("runs/sprites");
//   trainer::GeneratedClips clips = *generator.sample({.labels = {3, 3}, .steps = 4, .seed = 7});

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/soflow/sampling/sampler.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/run/checkpoint.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Clips in host memory: latents, or pixels in [-1, 1], which a network may overshoot slightly.
struct GeneratedClips {
  Shape shape = {};                       ///< [n, C, T, H, W]
  std::vector<float> values = {};         ///< contiguous, in that order
  std::vector<std::int64_t> labels = {};  ///< [n] the requested labels
};

/// Turns a network's values of latents into the data set's: value * std + mean per channel.
void undo_normalisation(const io::LatentSpace& latent, GeneratedClips* clips);

/// First frames that samples start from: one image, or the end of a clip.
struct GivenClips {
  Shape shape = {};                ///< [n, C, K, H, W], n = 1 for the same frames in all samples
  std::vector<float> values = {};  ///< contiguous, as in GeneratedClips; empty: no given frames
};

struct SampleRequest {
  std::vector<std::int64_t> labels = {};  ///< one per clip; -1: no label
  /// For models that take text: returns the contexts [count, L, E] of the clips from `first` on.
  /// Empty: the null context.
  std::function<Tensor(std::int64_t first, std::int64_t count)> context = {};
  /// [L, E]: the null context, or a negative prompt in its place. Undefined: zeros, or for
  /// Generator::sample() that of the run.
  Tensor null_context = {};
  int steps = 4;  ///< sampling steps N
  soflow::Sampler sampler = soflow::Sampler::kRenoise;
  double shift = 1;     ///< shift k of the sampling times
  double guidance = 4;  ///< w, for models that take the guidance scale as an input
  /// Scale of classifier-free guidance at sampling time (soflow::guided()), for models trained
  /// without guidance. It doubles the number of evaluations; 1: off.
  double steer = 1;
  soflow::Unconditional steer_from = soflow::Unconditional::kNullCondition;
  std::int64_t frames = 0;  ///< of the clips, the given ones included; 0: as trained
  GivenClips given = {};
  bool stream = false;  ///< generate chunk by chunk; only for causal models (is_causal())
  std::uint64_t seed = 1;
  std::int64_t first_id = 0;  ///< id of clip 0; the noise is a function of (seed, id)
  std::int64_t part = 32;     ///< clips generated at once: bounds memory, does not affect results
  /// Called after each sampling step with the steps finished and their total; false cancels.
  std::function<bool(std::int64_t done, std::int64_t total)> progress = {};
};

/// Total number of sampling steps over all batches and chunks: the unit of SampleRequest::progress.
[[nodiscard]] std::int64_t evaluations(const SampleRequest& request, const nn::DiTConfig& model);

/// Samples clips from any model, on the default device. Labels are in [0, classes) or -1. Returns
/// nothing if cancelled. Throws InvalidArgument for an empty request, a label out of range, a
/// length or given frames that do not fit the model, or `steer` together with `stream`. May be
/// called from one thread at a time per model.
[[nodiscard]] std::optional<GeneratedClips> sample_clips(const nn::VideoDiT& model,
                                                         const SampleRequest& request);

/// Owns the network of a run. Movable; usable from one thread at a time.
class Generator {
 public:
  /// Loads the averaged weights from a run's newest good checkpoint, or from a checkpoint folder,
  /// onto the default device. Throws CheckpointError, CorruptData.
  [[nodiscard]] static Generator load(const std::filesystem::path& run_or_checkpoint);

  /// As sample_clips(), but sets SampleRequest::stream by whether the run is causal and
  /// null_context, if undefined, to the run's, and throws InvalidArgument for a `steer` or given
  /// frames that the run's training does not support (check_steering(), check_continuing()).
  [[nodiscard]] std::optional<GeneratedClips> sample(SampleRequest request) const;
  /// Throws what sample() would throw for this request, before anything is computed; the tensors
  /// that request.context returns are checked by sample() alone.
  void check(const SampleRequest& request) const;
  [[nodiscard]] const nn::VideoDiT& model() const { return *model_; }
  [[nodiscard]] const CheckpointInfo& info() const { return info_; }

 private:
  Generator() = default;
  std::unique_ptr<nn::VideoDiT> model_;
  CheckpointInfo info_;
};

/// Throws InvalidArgument unless a model with this description can be steered from its null
/// condition, or its weak path, with this sampler: the run, or one that it began from, must have
/// trained it. The weak path is trained at s = t only, which Sampler::kEuler evaluates.
void check_steering(const CheckpointInfo& info, soflow::Unconditional from,
                    soflow::Sampler sampler);

/// Throws InvalidArgument unless the run generates chunk by chunk, or it, or one that it began from,
/// was trained with given first frames.
void check_continuing(const CheckpointInfo& info);

/// The newest good checkpoint of a run (of its last stage, if it has stages), or the checkpoint
/// itself. Throws CheckpointError.
[[nodiscard]] io::Checkpoint newest_checkpoint(const std::filesystem::path& run_or_checkpoint);

/// `count` labels that cycle through the classes: 0, 1, ..., classes - 1, 0, ...; all -1 if
/// `classes` is 0.
[[nodiscard]] std::vector<std::int64_t> cycle_labels(std::int64_t count, std::int64_t classes);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
