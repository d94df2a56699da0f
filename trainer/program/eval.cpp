// eflow eval: measures a run's samples. eflow eval train-features: trains the classifier for it.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/eval/clip_distances.hpp"
#include "eflow/trainer/eval/features.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/eval_exact.hpp"
#include "eflow/trainer/program/progress.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/training_run.hpp"

namespace eflow::program {
namespace {

using trainer::at_least;
using trainer::between;
using trainer::named;
using trainer::Option;

/// How many samples the classifier assigns to the requested label.
struct Score {
  std::vector<std::int64_t> right, asked;  ///< correct and requested samples, by label
  std::int64_t total_right = 0, total = 0;
};

Score score_of(const trainer::GeneratedClips& clips, const std::vector<std::int64_t>& predicted,
               std::int64_t classes) {
  Score score{std::vector<std::int64_t>(static_cast<std::size_t>(classes)),
              std::vector<std::int64_t>(static_cast<std::size_t>(classes)), 0, 0};
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    const auto label = static_cast<std::size_t>(clips.labels[i]);
    const bool right = predicted[i] == clips.labels[i];
    ++score.asked[label];
    score.right[label] += right;
    score.total_right += right;
    ++score.total;
  }
  return score;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

nlohmann::ordered_json to_json(const Score& score, const trainer::Features& features) {
  return {{"samples", score.total},
          {"read_as_asked", score.total_right},
          {"accuracy", share(score.total_right, score.total)},
          {"right", score.right},
          {"asked", score.asked},
          {"held_out_accuracy", features.held_out_accuracy()}};
}

void print(const Score& score, const trainer::Features& features) {
  for (std::size_t label = 0; label < score.asked.size(); ++label) {
    std::printf("  %-24s %lld of %lld\n",
                trainer::label_name(features.data(), static_cast<std::int64_t>(label)).c_str(),
                static_cast<long long>(score.right[label]),
                static_cast<long long>(score.asked[label]));
  }
  std::printf("%lld of %lld samples are classified correctly (%.3f)\n",
              static_cast<long long>(score.total_right), static_cast<long long>(score.total),
              share(score.total_right, score.total));
  std::printf("held-out accuracy of the classifier: %.4f\n", features.held_out_accuracy());
}

using trainer::ClipDistances;

/// Distances of the samples, and of as many held-out clips (the floor), from the same training
/// clips.
struct Distances {
  ClipDistances samples, floor;
  std::int64_t reference = 0;
};

Distances distances_of(const trainer::GeneratedClips& clips, const trainer::Features& features,
                       const trainer::DataConfig& data, std::int64_t reference) {
  constexpr std::uint64_t kSeed = 20260328;  // fixed, so that results of different runs compare
  const trainer::DataSets sets = trainer::open_data(data);
  if (!sets.held_out)
    throw trainer::DataError("[eval] no held-out clips, which the floor requires; set --eval");
  const auto training = trainer::choose_clips(*sets.training, reference, kSeed);
  const auto other = trainer::choose_clips(*sets.held_out, clips.shape[0], kSeed);
  const trainer::ClipStatistics truth(features, training.values, training.shape);
  return {distances({features, clips.values, clips.shape}, truth),
          distances({features, other.values, other.shape}, truth), training.shape[0]};
}

void print_line(const char* what, const ClipDistances& d) {
  std::printf(
      "  %-9s %6lld clips  Frechet %9.4f (means %.4f, covariances %.4f)  frames %.3f dB  "
      "motion %.3f dB\n",
      what, static_cast<long long>(d.count), d.frechet.total(), d.frechet.mean,
      d.frechet.covariance, d.frame_db, d.motion_db);
}

void print(const Distances& d) {
  std::printf("distances from %lld training clips, by %lld features of the classifier\n",
              static_cast<long long>(d.reference),
              static_cast<long long>(trainer::Features::feature_size()));
  print_line("samples", d.samples);
  print_line("held-out", d.floor);
}

nlohmann::ordered_json to_json(const ClipDistances& d) {
  return {{"clips", d.count},           {"frechet", d.frechet.total()},
          {"of_means", d.frechet.mean}, {"of_covariances", d.frechet.covariance},
          {"frames_db", d.frame_db},    {"motion_db", d.motion_db}};
}

void require_same_data(const trainer::DataInfo& run, const trainer::DataInfo& features) {
  if (run.clips.shape() == features.clips.shape() && run.clips.classes == features.clips.classes)
    return;
  throw trainer::CheckpointError(str("[eval] the run generates clips ", run.clips.shape(), " of ",
                                     run.clips.classes, " classes, the features expect ",
                                     features.clips.shape(), " of ", features.clips.classes));
}

}  // namespace

int eval_train_features(const Arguments& arguments) {
  trainer::DataConfig data;
  trainer::FeatureTraining training;
  std::string out;
  std::int64_t seed = 1, threads = 0;
  const std::vector<Option> options = {
      {"data", &data.dir, "Folder of the data set."},
      {"eval", &data.eval,
       "Held-out clips: 'split' for clips of --data, 'last' for its last clips, or another "
       "folder."},
      {"out", &out, "Folder to write the features to."},
      {"iterations", &training.iterations, between(1, 1e6), "steps", "Training steps."},
      {"batch", &training.batch, between(1, 4096), "clips", "Clips per step."},
      {"lr", &training.lr, between(0, 1), "Peak learning rate."},
      {"noise", &training.noise, between(0, 1),
       "Standard deviation of the noise added to training clips."},
      {"seed", &seed, at_least(0), "Seed of the weights, the order of the clips and the noise."},
      {"threads", &threads, between(0, 1024), "threads", "Compute threads; 0: all cores."},
  };
  if (wants_help(arguments)) {
    return print_help(
        {"eflow eval train-features --data DIR --out FEATURES [...]",
         "Trains a small classifier of clips and measures its accuracy on held-out clips."},
        options);
  }
  parse(arguments, options, {"data", "out"});
  if (data.eval == "none")
    throw InvalidArgument(
        "--eval: expected 'split' or a folder, as the accuracy is measured on "
        "held-out clips; found 'none'");
  trainer::use_threads(threads);
  const trainer::DataSets sets = trainer::open_data(data);
  training.seed = static_cast<std::uint64_t>(seed);
  trainer::Progress progress(trainer::Console::errors(), "step", training.iterations, 0,
                             std::max<std::int64_t>(1, training.iterations / 10));
  training.progress = [&](std::int64_t step, double loss) {
    progress.update(step, str("loss ", loss));
    return true;
  };
  const auto features = trainer::Features::train(sets, training);
  features.save(out);
  std::printf("held-out accuracy %.4f on %lld clips\n", features.held_out_accuracy(),
              static_cast<long long>(sets.held_out->size()));
  return 0;
}

int eval(const Arguments& arguments) {
  std::string run, features_folder;
  soflow::Sampler sampler = soflow::Sampler::kRenoise;
  std::int64_t count = 512, reference = 4096, steps = 4, seed = 1;
  double steer = 1;
  bool json = false, exact = false;
  trainer::DataConfig data;
  ExactRequest request_exact;
  const std::vector<Option> options = {
      {"run", &run, "Folder of a run (its newest checkpoint is used) or of a checkpoint."},
      {"features", &features_folder, "Folder written by 'eflow eval train-features'."},
      {"data", &data.dir,
       "Folder of the data set; adds Frechet distance and spectra, with their floor."},
      {"eval", &data.eval, "Held-out clips of --data: 'split', 'last', or another folder."},
      {"reference", &reference, between(2, 1e6), "clips", "Training clips to compare with."},
      {"exact", &exact, "Compare a run on an exactly known flow (exact.kind) with that flow."},
      {"clips", &request_exact.clips, between(2, 1e6), "clips", "With --exact: number of clips."},
      {"shift", &request_exact.shift, between(0.01, 100),
       "With --exact: shift k of the sampling times."},
      {"guidance", &request_exact.guidance, between(0, 20),
       "With --exact: one scale w; 0: 2.5, 3, ..., 4.5 for models with guidance.embed."},
      {"count", &count, between(2, 1e6), "clips",
       "Number of samples; labels cycle through the classes."},
      {"steps", &steps, between(1, 1000), "steps", "Sampling steps N."},
      {"sampler", named(&sampler, soflow::kSamplerNames), "Sampler, as for 'eflow sample'."},
      {"steer", &steer, between(0, 20),
       "Scale w of guidance at sampling time, for models trained without it; 1: off."},
      {"seed", &seed, at_least(0), "Seed of the noise."},
      {"json", &json, "Print one JSON object instead of text."},
  };
  if (wants_help(arguments)) {
    return print_help(
        {"eflow eval --run RUN (--features FEATURES [--data DIR] | --exact) [...]",
         "Counts how many samples of each label a classifier assigns to that label, and measures "
         "how far the samples are from the data; or compares a run with its exactly known flow."},
        options);
  }
  const auto given = parse(arguments, options, {"run"});
  if (exact) {
    refuse_given(given,
                 {"features", "data", "eval", "reference", "count", "steps", "sampler", "steer"},
                 "has no effect with --exact, which uses --clips and tests several samplers");
    request_exact.seed = static_cast<std::uint64_t>(seed);
    request_exact.json = json;
    return eval_exact(run, request_exact);
  }
  refuse_given(given, {"clips", "shift", "guidance"},
               "has no effect without --exact; samples use the run's sample.shift and "
               "sample.guidance");
  if (data.dir.empty()) refuse_given(given, {"eval", "reference"}, "has no effect without --data");
  if (features_folder.empty()) throw InvalidArgument("--features is missing (or pass --exact)");
  const auto features = trainer::Features::load(features_folder);
  const auto generator = trainer::Generator::load(run);
  require_same_data(generator.info().data, features.data());
  if (features.data().clips.classes == 0)
    throw InvalidArgument(str("[eval] ", run, ": its clips have no labels to compare with"));
  trainer::SampleRequest request;
  request.labels = trainer::cycle_labels(count, features.data().clips.classes);
  request.steps = static_cast<int>(steps);
  request.sampler = sampler;
  request.shift = generator.info().config.sample.shift;
  request.guidance = generator.info().config.sample.guidance;
  request.steer = steer;
  request.steer_from = generator.info().config.guidance.kind;
  request.seed = static_cast<std::uint64_t>(seed);
  const auto clips = generator.sample(request);
  const Score score =
      score_of(*clips, features.read(clips->values, clips->shape), features.data().clips.classes);
  std::optional<Distances> apart;
  if (!data.dir.empty()) apart = distances_of(*clips, features, data, reference);
  if (json) {
    auto line = to_json(score, features);
    line["sampler"] = soflow::name_of(sampler);
    line["steps"] = steps;
    if (apart) {
      line["distance"] = to_json(apart->samples);
      line["floor"] = to_json(apart->floor);
      line["reference"] = apart->reference;
      line["features"] = trainer::Features::feature_size();
    }
    std::printf("%s\n", line.dump().c_str());
    return 0;
  }
  print(score, features);
  if (apart) print(*apart);
  return 0;
}

}  // namespace eflow::program
