// eflow sample

#include <cstdio>
#include <span>

#include "arguments.hpp"
#include "eflow/base/error.hpp"
#include "eflow/io/npy.hpp"
#include "eflow/trainer/exit_code.hpp"
#include "eflow/trainer/preview.hpp"
#include "eflow/trainer/progress.hpp"
#include "eflow/trainer/run_directory.hpp"
#include "signals.hpp"

namespace eflow::program {
namespace {

using trainer::at_least;
using trainer::between;
using trainer::one_of;
using trainer::Option;

struct SampleFlags {
  std::string run, out, label, sampler = "renoise";
  std::int64_t steps = 4, count = 9, seed = 1;
  double shift = 0, guidance = 0, steer = 1;

  std::vector<Option> options() {
    return {
        {"run", &run, {}, "", "A run's folder (its newest checkpoint) or a checkpoint's."},
        {"out", &out, {}, "", "Folder for sheet.png, clips.webp and samples.npy."},
        {"label", &label, {}, "", "Class name or number; without it all labels take turns."},
        {"steps", &steps, between(1, 1000), "steps",
         "Sampling steps N; one evaluation of the network each."},
        {"count", &count, between(1, 1e6), "clips", "How many clips."},
        {"sampler", &sampler, one_of({"renoise", "compose", "euler", "bridge"}), "",
         "Re-noising, deterministic composition, Euler steps of the velocity, or half of each of "
         "the first two."},
        {"seed", &seed, at_least(0), "", "Seed of the noise."},
        {"shift", &shift, between(0, 100), "",
         "Shift k of the sampling times; 0: as the run's previews."},
        {"guidance", &guidance, between(0, 20), "",
         "Scale w, for models with guidance.embed; 0: as the run's previews."},
        {"steer", &steer, between(0, 20), "",
         "Scale w of guidance by two evaluations a step, for models that were trained without; 1: "
         "none."},
    };
  }
};

void write(const trainer::GeneratedClips& clips, double fps, const std::filesystem::path& out) {
  trainer::make_directories(out);
  trainer::write_pictures(clips, fps, out / "sheet.png", out / "clips.webp");
  io::write_npy(out / "samples.npy", DType::kF32, clips.shape,
                std::as_bytes(std::span(clips.values)));
}

}  // namespace

int sample(const Arguments& arguments) {
  SampleFlags flags;
  if (wants_help(arguments)) {
    return print_help({"eflow sample --run RUN --out DIR [--label L] [--steps 4] [--count 9] [...]",
                       "Makes clips with a run's averaged weights; needs no data set."},
                      flags.options());
  }
  parse(arguments, flags.options(), {"run", "out"});
  install_stop_signals();
  const auto generator = trainer::Generator::load(flags.run);
  const trainer::DataInfo& data = generator.info().data;
  trainer::SampleRequest request;
  request.labels = trainer::labels_in_turn(flags.count, data.clips.classes);
  if (!flags.label.empty())
    request.labels.assign(static_cast<std::size_t>(flags.count),
                          trainer::label_of(data, flags.label));
  request.steps = static_cast<int>(flags.steps);
  request.sampler = soflow::sampler_kind(flags.sampler);
  request.shift = flags.shift > 0 ? flags.shift : generator.info().config.sample.shift;
  const double w = generator.info().config.sample.guidance;
  request.guidance = flags.guidance > 0 ? flags.guidance : w;
  request.steer = flags.steer;
  request.steer_from = soflow::unconditional_kind(generator.info().config.guidance.kind);
  request.stream = trainer::is_causal(generator.info().config);
  request.seed = static_cast<std::uint64_t>(flags.seed);
  const std::int64_t total = trainer::evaluations(request, generator.model().config());
  std::optional<trainer::Progress> progress(std::in_place, stderr, "sampling", total, 0,
                                            std::max<std::int64_t>(1, total / 4));
  request.progress = [&](std::int64_t done, std::int64_t) {
    progress->update(done, "");
    return !stop_requested();
  };
  const auto clips = generator.sample(request);
  progress.reset();
  if (!clips) throw Error("stopped by a signal; nothing was written");
  write(*clips, data.fps, flags.out);
  std::printf("%lld clips in %s\n", static_cast<long long>(flags.count), flags.out.c_str());
  return 0;
}

}  // namespace eflow::program
