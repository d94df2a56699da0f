// eflow eval: measures a run's samples. eflow eval train-features: trains the classifier for it.

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/prompt_source.hpp"
#include "eflow/trainer/eval/attributes.hpp"
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

/// How many samples the classifier assigns to the requested label, or to one attribute's value.
struct Score {
  std::vector<std::int64_t> right, asked;  ///< correct and requested samples, by label
  std::int64_t total_right = 0, total = 0;
};

/// predicted: [samples, heads]. requested(i): the value of head `a` that sample i should show.
template <class Requested>
Score score_of(const std::vector<std::int64_t>& predicted, std::size_t heads, std::size_t a,
               std::int64_t classes, const Requested& requested) {
  Score score{std::vector<std::int64_t>(static_cast<std::size_t>(classes)),
              std::vector<std::int64_t>(static_cast<std::size_t>(classes)), 0, 0};
  for (std::size_t i = 0; i < predicted.size() / heads; ++i) {
    const std::int64_t asked = requested(static_cast<std::int64_t>(i));
    const auto label = static_cast<std::size_t>(asked);
    const bool right = predicted[i * heads + a] == asked;
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

nlohmann::ordered_json to_json(const Score& score, double held_out_accuracy) {
  return {{"samples", score.total},
          {"read_as_asked", score.total_right},
          {"accuracy", share(score.total_right, score.total)},
          {"right", score.right},
          {"asked", score.asked},
          {"held_out_accuracy", held_out_accuracy}};
}

/// One line per attribute.
void print_attributes(const std::vector<Score>& scores, const trainer::Features& features) {
  std::printf("%-24s %8s   classifier on held-out clips\n", "attribute", "samples");
  for (std::size_t a = 0; a < scores.size(); ++a) {
    std::printf("%-24s %8.3f   %.4f\n", features.heads()[a].name.c_str(),
                share(scores[a].total_right, scores[a].total), features.held_out_accuracies()[a]);
  }
  std::printf("of %lld samples, one per caption\n", static_cast<long long>(scores[0].total));
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

/// Throws unless the attributes have the same names, and `other` has no more values of any.
void require_same_attributes(const std::vector<trainer::Attribute>& ours,
                             const std::vector<trainer::Attribute>& other) {
  bool same = ours.size() == other.size();
  for (std::size_t a = 0; same && a < ours.size(); ++a)
    same = ours[a].name == other[a].name && ours[a].classes >= other[a].classes;
  if (same) return;
  const auto list = [](const std::vector<trainer::Attribute>& attributes) {
    std::string text;
    for (const auto& a : attributes)
      text += str(text.empty() ? "" : ", ", a.name, " (", a.classes, ")");
    return text;
  };
  throw trainer::DataError(str("attributes differ: expected ", list(ours), ", found ", list(other),
                               "; --attribute-names gives them names and sizes"));
}

void require_same_data(const trainer::DataInfo& run, const trainer::DataInfo& features) {
  if (run.clips.shape() == features.clips.shape() && run.clips.classes == features.clips.classes)
    return;
  throw trainer::CheckpointError(str("[eval] the run generates clips ", run.clips.shape(), " of ",
                                     run.clips.classes, " classes, the features expect ",
                                     features.clips.shape(), " of ", features.clips.classes));
}

/// Throws unless everything is given that comparing samples with their captions takes.
void require_text_options(const std::set<std::string>& given, const trainer::Features& features,
                          const std::string& run) {
  for (const char* key : {"prompts", "attributes"}) {
    if (!given.contains(key))
      throw InvalidArgument(str("--", key, " is missing: the model of ", run, " takes text"));
  }
  if (features.has_attributes()) return;
  throw InvalidArgument(
      "--features: expected features with attributes, as the model takes text; train them with "
      "'eflow eval train-features --attributes FILE'");
}

}  // namespace

int eval_train_features(const Arguments& arguments) {
  trainer::DataConfig data;
  trainer::FeatureTraining training;
  std::string out, attributes, eval_attributes, names;
  std::int64_t seed = 1, threads = 0;
  const std::vector<Option> options = {
      {"data", &data.dir, "Folder of the data set."},
      {"eval", &data.eval,
       "Held-out clips: 'split' for clips of --data, 'last' for its last clips, or another "
       "folder."},
      {"out", &out, "Folder to write the features to."},
      {"attributes", &attributes,
       "Learn these attributes instead of labels: integers [clips, attributes], .npy, in the order "
       "of the clips of --data."},
      {"attribute_names", &names,
       "Names of --attributes and their values, in order: JSON, {\"hair\": [\"black\", ...], "
       "...}."},
      {"eval_attributes", &eval_attributes,
       "The same for the clips of the folder of --eval; default: --eval is a part of --data."},
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
  const auto given = parse(arguments, options, {"data", "out"});
  if (attributes.empty()) {
    refuse_given(given, {"attribute_names", "eval_attributes"},
                 "has no effect without --attributes");
  }
  const bool own = data.eval == "split" || data.eval == "last";
  if (own) refuse_given(given, {"eval_attributes"}, "has no effect unless --eval names a folder");
  if (!attributes.empty() && !own && eval_attributes.empty())
    throw InvalidArgument("--eval-attributes is missing: the attributes of the clips of --eval");
  if (data.eval == "none")
    throw InvalidArgument(
        "--eval: expected 'split' or a folder, as the accuracy is measured on "
        "held-out clips; found 'none'");
  trainer::use_threads(threads);
  const trainer::DataSets sets = trainer::open_data(data);
  trainer::AttributeTable table, eval_table;
  if (!attributes.empty()) {
    table = trainer::read_attributes(attributes, names);
    training.attributes = &table;
  }
  if (!eval_attributes.empty()) {
    eval_table = trainer::read_attributes(eval_attributes, names);
    require_same_attributes(table.attributes, eval_table.attributes);
    training.held_out_attributes = &eval_table;
  }
  training.seed = static_cast<std::uint64_t>(seed);
  make_output_folder(out);
  trainer::Progress progress(trainer::Console::errors(), "step", training.iterations, 0,
                             std::max<std::int64_t>(1, training.iterations / 10));
  training.progress = [&](std::int64_t step, double loss) {
    progress.update(step, str("loss ", loss));
    return true;
  };
  const auto features = trainer::Features::train(sets, training);
  features.save(out);
  for (std::size_t a = 0; features.has_attributes() && a < features.heads().size(); ++a)
    std::printf("%-24s %.4f\n", features.heads()[a].name.c_str(),
                features.held_out_accuracies()[a]);
  std::printf("held-out accuracy %.4f on %lld clips\n", features.held_out_accuracy(),
              static_cast<long long>(sets.held_out->size()));
  return 0;
}

int eval(const Arguments& arguments) {
  std::string run, features_folder, prompts_file, attributes_file, names_file;
  soflow::Sampler sampler = soflow::Sampler::kRenoise;
  std::int64_t count = 512, reference = 4096, steps = 4, seed = 1;
  double steer = 1;
  bool json = false, exact = false;
  trainer::DataConfig data;
  ExactRequest request_exact;
  const std::vector<Option> options = {
      {"run", &run, "Folder of a run (its newest checkpoint is used) or of a checkpoint."},
      {"features", &features_folder, "Folder written by 'eflow eval train-features'."},
      {"prompts", &prompts_file,
       "For models that take text: captions to sample, as for 'eflow sample'; needs --attributes."},
      {"attributes", &attributes_file,
       "What the captions of --prompts say: integers [clips, attributes], .npy."},
      {"attribute_names", &names_file, "Names of --attributes, as for train-features."},
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
                 {"features", "data", "eval", "reference", "count", "steps", "sampler", "steer",
                  "prompts", "attributes", "attribute_names"},
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
  const trainer::DataInfo& info = generator.info().data;
  std::optional<trainer::PromptSource> prompts;
  trainer::AttributeTable table;
  if (info.clips.context_dim > 0) {
    require_text_options(given, features, run);
    prompts.emplace(prompts_file, info);
    table = trainer::read_attributes(attributes_file, names_file);
    require_same_attributes(features.heads(), table.attributes);
    if (!given.contains("count")) count = prompts->size();
  } else {
    refuse_given(given, {"prompts", "attributes", "attribute_names"},
                 "needs a model that takes text; this run's model takes none");
    if (features.has_attributes() || info.clips.classes == 0)
      throw InvalidArgument(str("[eval] ", run, ": its clips have no labels to compare with"));
  }
  trainer::SampleRequest request;
  request.labels = trainer::cycle_labels(count, info.clips.classes);
  const auto caption_of = [&](std::int64_t sample) { return sample % prompts->size(); };
  if (prompts) {
    request.context = [&](std::int64_t first, std::int64_t length) {
      std::vector<std::int64_t> captions;
      for (std::int64_t i = 0; i < length; ++i) captions.push_back(caption_of(first + i));
      return prompts->contexts(captions);
    };
  }
  request.steps = static_cast<int>(steps);
  request.sampler = sampler;
  request.shift = generator.info().config.sample.shift;
  request.guidance = generator.info().config.sample.guidance;
  request.steer = steer;
  request.steer_from = generator.info().config.guidance.kind;
  request.seed = static_cast<std::uint64_t>(seed);
  const auto clips = generator.sample(request);
  const auto predicted = features.read(clips->values, clips->shape);
  std::vector<Score> scores;
  for (std::size_t a = 0; a < features.heads().size(); ++a) {
    scores.push_back(score_of(predicted, features.heads().size(), a, features.heads()[a].classes,
                              [&](std::int64_t i) {
                                return prompts ? table.at(prompts->clip_of(caption_of(i)), a)
                                               : clips->labels[static_cast<std::size_t>(i)];
                              }));
  }
  const Score& score = scores.front();
  data.context_length = info.text.length;
  std::optional<Distances> apart;
  if (!data.dir.empty()) apart = distances_of(*clips, features, data, reference);
  if (json) {
    auto line = to_json(score, features.held_out_accuracy());
    if (prompts) {
      line = {{"samples", score.total}};
      for (std::size_t a = 0; a < scores.size(); ++a)
        line["attributes"][features.heads()[a].name] =
            to_json(scores[a], features.held_out_accuracies()[a]);
    }
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
  prompts ? print_attributes(scores, features) : print(score, features);
  if (apart) print(*apart);
  return 0;
}

}  // namespace eflow::program
