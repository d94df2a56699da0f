// What does not fit is refused and what has no effect is stated: data and model, options and
// model, options and other options, stages and the command line.
#define BOOST_TEST_MODULE fit
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/trainer/program/expectations.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

std::vector<nlohmann::json> metrics_of(const std::filesystem::path& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(content_of(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

/// A folder with 24 clips, packed with labels ("set") and without ("plain").
struct WithSets : TemporaryFolder {
  WithSets() {
    const auto videos = (path() / "videos.npy").string(), labels = (path() / "labels.npy").string();
    std::vector<std::uint8_t> values(24 * 4 * 16 * 16 * 3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(i % 251);
    io::write_npy(videos, DType::kU8, {24, 4, 16, 16, 3}, std::as_bytes(std::span(values)));
    std::vector<std::int64_t> all(24);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i) % 3;
    io::write_npy(labels, DType::kI64, {24}, std::as_bytes(std::span(all)));
    done("data pack --videos " + videos + " --labels " + labels + " --out " + set());
    done("data pack --videos " + videos + " --out " + plain());
  }
  [[nodiscard]] std::string set() const { return (path() / "set").string(); }
  [[nodiscard]] std::string plain() const { return (path() / "plain").string(); }
  [[nodiscard]] std::string run() const { return (path() / "run").string(); }
  /// `eflow train` with the smallest model.
  [[nodiscard]] std::string train(const std::string& data, const std::string& more = "") const {
    return "train --config " EFLOW_CONFIGS "/tiny.ini --sample.every=0 --data " + data + " --out " +
           run() + " " + more;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_model_takes_what_the_data_have) {
  const WithSets folder;
  const std::string out = " --dry-run --out " + folder.run();
  refused("train --data " + folder.set() + " --model.preset=1.5B" + out,
          "model.preset = 1.5B takes text, but the data have labels (3 classes");
  refused("train --data " + folder.plain() + " --config " EFLOW_CONFIGS "/t2v.ini" + out,
          "[stage1] sets data.dir = latents-256p, which overrides the command line's data.dir");
  refused("train --data.context_length=0 --stage1.data.dir=" + folder.plain() +
              " --config " EFLOW_CONFIGS "/t2v.ini" + out,
          "model.preset = 1.5B takes text, but the data have no condition");
  refused("train --data " + folder.plain() + " --model.preset=tiny --out " + folder.run(),
          "set model.condition = none to train a model that takes no condition");
  BOOST_TEST(!std::filesystem::exists(folder.run()));
  done("train --data " + folder.plain() + " --model.preset=tiny --model.condition=none" + out);
  refused("train --exact.kind=guided --model.preset=XL" + out,
          "takes labels, but the data have text");
  refused("train --exact.kind=guided --data " + folder.set() + out,
          "data.dir: expected nothing, as exact.kind generates the clips");
  refused("bench step --config " EFLOW_CONFIGS "/t2v.ini --stage 1 --train.precision=f32",
          "latents-256p: not a data set", 3);
  refused("bench step --config " EFLOW_CONFIGS "/sprites-text.ini",
          "takes text, but the data have labels");
}

BOOST_AUTO_TEST_CASE(samples_are_asked_for_what_the_model_has) {
  const WithSets folder;
  done(folder.train(folder.plain(), "--train.iterations=2"));
  const std::string sample = "sample --count 1 --steps 1 --out " + folder.path().string() + "/out",
                    plain = sample + " --run " + folder.run();
  refused(plain + " --label 1",
          "--label needs a model with classes; this run's clips have no labels");
  refused(plain + " --guidance 3", "--guidance needs a model that takes the guidance scale");
  refused(plain + " --steer 3", "the model takes neither labels nor text");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "out"));
  done(plain);
  // A model that takes text and trains its weak path.
  const std::string guided = (folder.path() / "guided").string(),
                    text = sample + " --run " + guided;
  done("train --config " EFLOW_CONFIGS
       "/exact-guided.ini --train.iterations=2 --optim.warmup=0 "
       "--train.batch=8 --eval.every=0 --out " +
       guided);
  refused(text + " --label 1", "--label needs a model with classes; this run's model takes text");
  refused(text + " --steer 3", "use the sampler euler");
  done(text + " --steer 3 --sampler euler");
  BOOST_TEST(contains(done(text + " --guidance 3"), "these clips have the null condition"));
  refused("eval --exact --clips 2 --steps 3 --run " + guided, "--steps has no effect with --exact");
}

BOOST_AUTO_TEST_CASE(options_without_effect_are_refused) {
  const WithSets folder;
  refused("eval --run r --features f --clips 3", "--clips has no effect without --exact");
  refused("eval --run r --features f --guidance 3", "--guidance has no effect without --exact");
  refused("eval --run r --features f --reference 3", "--reference has no effect without --data");
  refused("eval --run r --exact --features f --count 3", "--features has no effect with --exact");
  refused("eval train-features --data d --out f --eval none",
          "--eval: expected 'split' or a folder");
  refused("inspect --preset tiny --options", "describes one thing");
  refused("inspect somewhere --preset tiny", "describes one thing");
  refused("data info " + folder.set() + " --device cuda", "--device has no effect");
  refused("data pack --videos " + (folder.path() / "videos.npy").string() + " --range unit --out x",
          "--range has no effect on uint8");
  refused("bench step --config " EFLOW_CONFIGS "/tiny.ini --stage 2", "has no stages; found 2");
  refused("bench step --config " EFLOW_CONFIGS "/exact-anyflow.ini",
          "--stage: expected the stage to measure, from 1 to 3; found 0");
  refused("bench step --config " EFLOW_CONFIGS "/exact-anyflow.ini --stage 2",
          "expected eflow, found anyflow");
  refused("bench step --data.clip=3x8", "data.clip: expected CxTxHxW");
  const auto assumed = done(
      "bench step --steps 1 --model.preset=tiny --train.batch=2 --json "
      "--data.clip=2x4x8x16");
  BOOST_TEST(contains(assumed, R"("channels":2,"frames":4,"height":8,"width":16)"));
  const auto measured = done("bench step --steps 1 --config " EFLOW_CONFIGS
                             "/exact-anyflow.ini --stage 1 --train.batch=4 --json");
  BOOST_TEST(nlohmann::json::parse(measured).at("model").at("channels") == 2);  // the exact clips
}

BOOST_AUTO_TEST_CASE(settings_without_effect_are_stated) {
  const WithSets folder;
  const std::string words = folder.train(
      folder.set(), "--train.iterations=2 --objective.fm_share=1 --objective.r_init=0.2");
  const std::string line = "\n  objective.r_init = 0.2 (objective.fm_share = 1)";
  BOOST_TEST(contains(done(words + " --dry-run"), line));
  BOOST_TEST(contains(done(words), line));
}

BOOST_AUTO_TEST_CASE(stages_draw_different_clips_noise_and_times) {
  const WithSets folder;
  const auto run = std::filesystem::path(folder.run());
  const std::string short_run = "--train.iterations=2 --train.batch=4 --optim.lr=0";
  done(folder.train(folder.set(), short_run));
  const auto alone = metrics_of(run);
  std::filesystem::rename(run, folder.path() / "alone");
  done(folder.train(
      folder.set(),
      short_run + " --stage1.eval.every=0 --stage2.eval.every=0 --stage3.eval.every=0"));
  const auto first = metrics_of(run / "stage-1"), second = metrics_of(run / "stage-2"),
             third = metrics_of(run / "stage-3");
  // Stage 1 begins as the same run without stages. No weight changes, so equal losses would mean
  // equal noise and times.
  BOOST_TEST(first[0].at("ids_hash") == alone[0].at("ids_hash"));
  BOOST_TEST(first[0].at("loss") == alone[0].at("loss"));
  BOOST_TEST(second[0].at("ids_hash") != first[0].at("ids_hash"));
  BOOST_TEST(third[0].at("ids_hash") != second[0].at("ids_hash"));
  BOOST_TEST(second[0].at("loss") != first[0].at("loss"));
  BOOST_TEST(third[0].at("loss") != second[0].at("loss"));
  const std::string ini = content_of(run / "stage-3" / "config.ini");
  BOOST_TEST(contains(ini, "r_from = 4\n"), ini);
  BOOST_TEST(contains(ini, "r_steps = 6\n"), ini);
}

BOOST_AUTO_TEST_CASE(stages_and_the_command_line) {
  const WithSets folder;
  const auto ini = (folder.path() / "two.ini").string();
  std::ofstream(ini) << content_of(EFLOW_CONFIGS "/tiny.ini")
                     << "[stage1]\ntrain.iterations = 2\n[stage2]\ntrain.iterations = 2\n";
  const std::string words = "train --sample.every=0 --config " + ini + " --data " + folder.set() +
                            " --out " + folder.run();
  refused(
      words + " --train.iterations=3",
      "[stage1] sets train.iterations = 2, which overrides the command line's train.iterations; "
      "use --stage1.train.iterations=VALUE");
  refused(words + " --resume " + folder.run(), "--resume: expected auto or never for a run of 2");
  done(words + " --stage1.train.iterations=3");
  BOOST_TEST(metrics_of(std::filesystem::path(folder.run()) / "stage-1").size() == 3);
}

/// The level of AnyFlow's loss is that of the whole batch, in both stages.
BOOST_AUTO_TEST_CASE(accumulation_does_not_change_anyflow) {
  const TemporaryFolder folder;
  const auto losses = [&](const std::string& name, const std::string& more) {
    const auto run = folder.path() / name;
    done("train --config " EFLOW_CONFIGS
         "/exact-gaussian.ini --train.iterations=3 --optim.warmup=0 "
         "--train.batch=16 --eval.every=0 " +
         more + " --out " + run.string());
    std::vector<double> all;
    for (const auto& line : metrics_of(run)) all.push_back(line.at("loss").get<double>());
    return all;
  };
  const auto compare = [&](const std::string& name, const std::string& kind) {
    const auto whole = losses(name + "-1", kind);
    BOOST_REQUIRE(whole.size() == 3u);
    for (const char* parts : {"4", "8", "16"}) {
      const auto now = losses(name + "-" + parts, kind + " --train.accumulation=" + parts);
      for (std::size_t i = 0; i < whole.size(); ++i)
        BOOST_TEST(now[i] == whole[i], boost::test_tools::tolerance(1e-4));
    }
  };
  compare("map", "--objective.kind=anyflow");
  compare("policy",
          "--objective.kind=anyflow-on-policy --anyflow.teacher=exact "
          "--train.init-from=" +
              (folder.path() / "map-1").string());
}

/// An AnyFlow stage after an EFlow stage whose network takes the guidance scale: it begins with the
/// same samples as that network at sample.guidance, and distils it on policy.
BOOST_AUTO_TEST_CASE(anyflow_starts_from_a_guided_run) {
  const WithSets folder;
  const auto ini = (folder.path() / "guided.ini").string();
  std::ofstream(ini)
      << content_of(EFLOW_CONFIGS "/tiny.ini")
      << "[objective]\nguidance = 2.5\n"
         "[stage1]\ntrain.iterations = 6\nguidance.kind = weak\nguidance.embed = true\n"
         "guidance.w_max = 4.5\n"
         "[stage2]\ntrain.iterations = 1\nobjective.kind = anyflow\noptim.lr = 0\n"
         "optim.warmup = 0\nobjective.guidance = 1\n"
         "[stage3]\ntrain.iterations = 2\nobjective.kind = anyflow-on-policy\n"
         "anyflow.teacher = stage-1\noptim.warmup = 0\nobjective.guidance = 1\n";
  const std::string said = done("train --sample.every=0 --config " + ini + " --data " +
                                folder.set() + " --out " + folder.run());
  BOOST_TEST(contains(said,
                      "train.init_from: the model does not take the guidance scale: the "
                      "embedding of w = 4 is added to time.out.bias"),
             said);
  const auto samples = [&](const std::string& stage, const std::string& more) {
    const std::string out = (folder.path() / (stage + more)).string();
    done("sample --count 3 --steps 2 --sampler compose --run " + folder.run() + "/" + stage +
         " --out '" + out + "' " + more);
    const io::NpyFile file(std::filesystem::path(out) / "samples.npy");
    std::vector<float> values(static_cast<std::size_t>(file.rows() * file.row_elements()));
    file.read_rows(0, file.rows(), std::as_writable_bytes(std::span(values)));
    return values;
  };
  const auto largest = [](const std::vector<float>& a, const std::vector<float>& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(double{a[i]} - b[i]));
    return most;
  };
  const auto guided = samples("stage-1", "--guidance 4");
  const auto map = samples("stage-2", "");
  BOOST_TEST(largest(guided, map) < 1e-4);
  BOOST_TEST(largest(guided, samples("stage-1", "--guidance 2.5")) > 1e-3);
  // Weights of a model that reads them differently.
  refused("train --sample.every=0 --config " EFLOW_CONFIGS "/tiny.ini --model.gap=s --data " +
              folder.set() + " --out " + folder.run() + "-other --train.init_from=" + folder.run(),
          "model.gap: the weights are of a model with t-s, this model has s", 4);
}
