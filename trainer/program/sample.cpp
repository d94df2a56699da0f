// eflow sample: generates clips with a trained run.

#include <cstdio>
#include <set>
#include <span>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/prompt_source.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/given_frames.hpp"
#include "eflow/trainer/program/progress.hpp"
#include "eflow/trainer/program/signals.hpp"
#include "eflow/trainer/run/preview.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::program {
namespace {

using trainer::at_least;
using trainer::between;
using trainer::named;
using trainer::Option;

struct SampleFlags {
  std::string run, out, label, prompts, caption, negative, first_frame, continued;
  soflow::Sampler sampler = soflow::Sampler::kRenoise;
  std::int64_t steps = 4, count = 9, seed = 1, frames = 0, continue_frames = 0;
  double shift = 0, guidance = 0, steer = 1;

  std::vector<Option> options() {
    return {
        {"run", &run, "Folder of a run (its newest checkpoint is used) or of a checkpoint."},
        {"out", &out, "Folder to write sheet.png, clips.webp and samples.npy to."},
        {"label", &label, "Class name or number; default: cycles through all classes."},
        {"prompts", &prompts,
         "For models that take text: a table of captions (scripts/python/encode_captions.py) or "
         "the folder of a data set with captions; clips cycle through them."},
        {"caption", &caption, "Use only this caption of --prompts."},
        {"negative", &negative,
         "Steer away from this prompt or caption of --prompts instead of the empty caption; needs "
         "--steer and a model trained with guidance.kind = null."},
        {"steps", &steps, between(1, 1000), "steps",
         "Sampling steps N, each one evaluation of the network."},
        {"count", &count, between(1, 1e6), "clips",
         "Number of clips; default with --prompts: one per caption."},
        {"sampler", named(&sampler, soflow::kSamplerNames),
         "Re-noising, deterministic composition, Euler steps of the velocity, or halfway between "
         "the first two."},
        {"seed", &seed, at_least(0), "Seed of the noise."},
        {"frames", &frames, between(0, 1e6), "frames",
         "Length of the clips, the given frames included; 0: as trained. A chunk-causal run "
         "generates clips of any length."},
        {"first_frame", &first_frame,
         "Image to video: a .npy or .safetensors file of one frame, or of one for each clip."},
        {"continue", &continued,
         "A .npy or .safetensors file of the frames that the clips begin with, such as "
         "samples.npy; for one clip or for --count clips."},
        {"continue_frames", &continue_frames, between(0, 1e6), "frames",
         "Use the last K frames of --continue; 0: all of them."},
        {"shift", &shift, between(0, 100),
         "Shift k of the sampling times; 0: as for the run's previews."},
        {"guidance", &guidance, between(0, 20),
         "Guidance scale w, for models with guidance.embed; 0: as for the run's previews."},
        {"steer", &steer, between(0, 20),
         "Scale w of guidance at sampling time, which doubles the evaluations; for models trained "
         "without guidance; 1: off."},
    };
  }
};

/// Writes pictures, and the clips in the units of the data set's files, with their captions.
void write(trainer::GeneratedClips clips, const trainer::DataInfo& data,
           const std::vector<std::string>& captions, const std::filesystem::path& out) {
  trainer::write_pictures(clips, data.fps, out / "sheet.png", out / "clips.webp", data.rgb);
  trainer::undo_normalisation(data.latent, &clips);
  const auto bytes = std::as_bytes(std::span(clips.values));
  io::write_npy(out / "samples.npy", DType::kF32, clips.shape, bytes);
  if (!data.latent.name.empty()) {
    io::write_safetensors(out / "samples.safetensors", {{"latents", "F32", clips.shape, bytes}},
                          {{"latent_space", data.latent.name}, {"layout", "NCTHW"}});
  }
  if (captions.empty()) return;
  std::string lines;
  for (const std::string& caption : captions) lines += caption + "\n";
  write_file_atomically(out / "captions.txt", lines);
}

/// The captions of a command, if it has --prompts.
struct Prompts {
  std::optional<trainer::PromptSource> source = {};
  std::vector<std::int64_t> captions = {};  ///< to cycle through

  Prompts(const SampleFlags& flags, const trainer::DataInfo& data) {
    if (flags.prompts.empty()) return;
    source.emplace(flags.prompts, data);
    if (!flags.caption.empty()) captions.push_back(source->find(flags.caption));
    for (std::int64_t i = 0; flags.caption.empty() && i < source->size(); ++i)
      captions.push_back(i);
  }
  [[nodiscard]] std::int64_t of_clip(std::int64_t clip) const {
    return captions[static_cast<std::size_t>(clip) % captions.size()];
  }
  [[nodiscard]] Tensor contexts(std::int64_t first, std::int64_t count) const {
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i < count; ++i) chosen.push_back(of_clip(first + i));
    return source->contexts(chosen);
  }
  [[nodiscard]] std::vector<std::string> texts(std::int64_t count) const {
    std::vector<std::string> out;
    for (std::int64_t i = 0; source && i < count; ++i) out.push_back(source->caption(of_clip(i)));
    return out;
  }
};

/// Refuses options that the run's model does not have.
void check_fits(const std::set<std::string>& given, const trainer::CheckpointInfo& run) {
  const auto& [classes, text] = std::pair(run.data.clips.classes, run.data.clips.context_dim);
  if (classes == 0) {
    refuse_given(given, {"label"},
                 text > 0 ? str("needs a model with classes; this run's model takes text of width ",
                                text, " and has none")
                          : "needs a model with classes; this run's clips have no labels");
  }
  if (!run.config.guidance.embed) {
    refuse_given(given, {"guidance"},
                 "needs a model that takes the guidance scale; this run was trained with "
                 "guidance.embed = false, so its guidance is fixed");
  }
  if (text == 0) {
    refuse_given(given, {"prompts", "caption", "negative"},
                 "needs a model that takes text; this run's model takes none");
  } else if (!given.contains("prompts")) {
    refuse_given(given, {"caption", "negative"}, "needs --prompts, which has the embeddings");
    std::fprintf(stderr,
                 "the model takes text; without --prompts, these clips have the null condition\n");
  }
  const bool steers =
      given.contains("steer") && run.config.guidance.kind == soflow::Unconditional::kNullCondition;
  if (!steers) {
    refuse_given(given, {"negative"},
                 "needs --steer and a model trained with guidance.kind = null: nothing else "
                 "evaluates the null condition");
  }
}

/// Reads the frames that the clips begin with. One image is one frame for a patch of one frame.
trainer::GivenClips given_frames(const SampleFlags& flags, const std::set<std::string>& given,
                                 const trainer::DataInfo& data) {
  if (flags.continued.empty())
    refuse_given(given, {"continue_frames"}, "has no effect without --continue");
  if (!flags.continued.empty())
    refuse_given(given, {"first_frame"}, "has no effect with --continue");
  if (!flags.continued.empty())
    return read_given_frames(flags.continued, data, flags.continue_frames);
  if (flags.first_frame.empty()) return {};
  trainer::GivenClips frame = read_given_frames(flags.first_frame, data, 0);
  if (frame.shape[2] == 1) return frame;
  throw InvalidArgument(str(flags.first_frame, ": expected one frame, found ", frame.shape[2],
                            "; use --continue for several"));
}

}  // namespace

int sample(const Arguments& arguments) {
  SampleFlags flags;
  if (wants_help(arguments)) {
    return print_help({"eflow sample --run RUN --out DIR [--label L | --prompts FILE] [--steps 4] "
                       "[--count 9] [...]",
                       "Generates clips with a run's averaged weights. Needs no data set."},
                      flags.options());
  }
  const auto given = parse(arguments, flags.options(), {"run", "out"});
  const auto generator = trainer::Generator::load(flags.run);
  install_stop_signals();  // not before: while it loads, a signal just ends the program
  const trainer::DataInfo& data = generator.info().data;
  check_fits(given, generator.info());
  const Prompts prompts(flags, data);
  if (prompts.source && !given.contains("count"))
    flags.count = static_cast<std::int64_t>(prompts.captions.size());
  trainer::SampleRequest request;
  if (prompts.source) {
    request.context = [&](std::int64_t first, std::int64_t count) {
      return prompts.contexts(first, count);
    };
  }
  if (!flags.negative.empty()) request.null_context = prompts.source->negative(flags.negative);
  request.labels = trainer::cycle_labels(flags.count, data.clips.classes);
  if (!flags.label.empty())
    request.labels.assign(static_cast<std::size_t>(flags.count),
                          trainer::label_of(data, flags.label));
  request.steps = static_cast<int>(flags.steps);
  request.sampler = flags.sampler;
  request.shift = flags.shift > 0 ? flags.shift : generator.info().config.sample.shift;
  const double w = generator.info().config.sample.guidance;
  request.guidance = flags.guidance > 0 ? flags.guidance : w;
  request.steer = flags.steer;
  request.steer_from = generator.info().config.guidance.kind;
  request.stream = trainer::is_causal(generator.info().config);
  request.seed = static_cast<std::uint64_t>(flags.seed);
  request.frames = flags.frames;
  request.given = given_frames(flags, given, data);
  generator.check(request);
  make_output_folder(flags.out);
  const std::int64_t total = trainer::evaluations(request, generator.model().config());
  std::optional<trainer::Progress> progress(std::in_place, trainer::Console::errors(), "sampling",
                                            total, 0, std::max<std::int64_t>(1, total / 4));
  request.progress = [&](std::int64_t done, std::int64_t) {
    progress->update(done, "");
    return !stop_requested();
  };
  const auto clips = generator.sample(request);
  progress.reset();
  if (!clips) throw Error("stopped by a signal; no files were written");
  write(*clips, data, prompts.texts(flags.count), flags.out);
  std::printf("wrote %lld clips to %s\n", static_cast<long long>(flags.count), flags.out.c_str());
  return 0;
}

}  // namespace eflow::program
