// The program from outside: commands, exit codes, and that wrong input is refused and leaves
// existing files intact.
#define BOOST_TEST_MODULE cli
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "eflow/io/checkpoint/checkpoint.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Writes videos.npy [n, 4, 16, 16, 3] in [-1, 1] and labels.npy.
void write_arrays(const std::filesystem::path& folder, std::int64_t n, float odd_value = 0,
                  std::int64_t odd_label = 0) {
  std::vector<float> videos(static_cast<std::size_t>(n * 4 * 16 * 16 * 3));
  for (std::size_t i = 0; i < videos.size(); ++i)
    videos[i] = std::sin(0.01f * static_cast<float>(i));
  if (odd_value != 0) videos[100] = odd_value;
  std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i) % 3;
  if (odd_label != 0) labels[1] = odd_label;
  io::write_npy(folder / "videos.npy", DType::kF32, {n, 4, 16, 16, 3},
                std::as_bytes(std::span(videos)));
  io::write_npy(folder / "labels.npy", DType::kI64, {n}, std::as_bytes(std::span(labels)));
}

std::string pack_words(const std::filesystem::path& f, const std::string& more = "") {
  return "data pack --videos " + (f / "videos.npy").string() + " --labels " +
         (f / "labels.npy").string() + " --out " + (f / "set").string() + " " + more;
}

std::string train_words(const std::filesystem::path& folder, const std::string& more = "") {
  return "train --config " EFLOW_CONFIGS "/tiny.ini --data " + (folder / "set").string() +
         " --out " + (folder / "run").string() + " " + more;
}

/// A folder with a packed set of 24 clips.
struct WithSet : TemporaryFolder {
  WithSet() {
    write_arrays(path(), 24);
    const auto packed = eflow_says(pack_words(path()));
    BOOST_REQUIRE_MESSAGE(packed.code == 0, packed.text);
  }
};

void refused(const std::string& words, int code, const std::string& part) {
  const auto outcome = eflow_says(words);
  BOOST_TEST(outcome.code == code, words << "\n" << outcome.text);
  BOOST_TEST(contains(outcome.text, part),
             words << "\nshould say: " << part << "\nsaid: " << outcome.text);
}

}  // namespace

BOOST_AUTO_TEST_CASE(help_and_version_need_nothing) {
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST(eflow_says("--version").code == 0);
  BOOST_TEST(eflow_says("--help").code == 0);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  BOOST_TEST_MESSAGE("two calls took " << seconds.count() << " s");
  for (const char* command :
       {"data synth", "data pack", "data info", "data verify", "train", "launch", "sample", "eval",
        "eval train-features", "eval frechet", "inspect", "bench step", "bench glga",
        "bench ladder", "plot", "jit"}) {
    const auto outcome = eflow_says(std::string(command) + " --help");
    BOOST_TEST(outcome.code == 0, command);
    BOOST_TEST(contains(outcome.text, "usage: eflow " + std::string(command)), outcome.text);
  }
}

/// Trains on images through the program; clips of an exact flow need no data set.
BOOST_AUTO_TEST_CASE(buckets_of_other_shapes_are_trained_on) {
  const TemporaryFolder folder;
  const std::string words =
      "train --config " EFLOW_CONFIGS "/exact-gaussian.ini --out " +
      (folder.path() / "run").string() +
      " --train.iterations=4 --optim.warmup=1 --train.batch=4 --data.buckets=@1:0.5 "
      "--drop.tokens=groups-3d ";
  refused(words, 2, "model.position_table: expected false with data.buckets");
  const auto trained = eflow_says(words + "--model.position_table=false");
  BOOST_TEST(trained.code == 0, trained.text);
  const auto dry = eflow_says("train --config " EFLOW_CONFIGS "/t2v.ini --dry-run --out " +
                              (folder.path() / "t2v").string());
  BOOST_TEST(contains(dry.text, "10 % of each batch are clips [16, 1, 32, 56]"), dry.text);
}

/// A progress line shows the errors of the losses in use, and no others.
BOOST_AUTO_TEST_CASE(progress_names_what_was_trained) {
  const TemporaryFolder folder;
  const std::string words = "train --config " EFLOW_CONFIGS
                            "/exact-guided.ini --train.iterations=4 --optim.warmup=1 "
                            "--train.batch=8 --model.dim=32 --eval.every=0 --log.every=4 --out " +
                            folder.path().string();
  const auto velocities = eflow_says(words + "/fm --objective.fm_share=1 --guidance.path_drop=0");
  BOOST_TEST(contains(velocities.text, "  fm "), velocities.text);
  const auto everything = eflow_says(words + "/all --mva.share=0.25 --mva.from=0");
  for (const char* error : {"  scm ", "  mva ", "  weak "}) {
    BOOST_TEST(!contains(velocities.text, error), velocities.text);
    BOOST_TEST(contains(everything.text, error), everything.text);
  }
}

/// AnyFlow's causal variant in three stages, then its evaluation.
BOOST_AUTO_TEST_CASE(causal_anyflow_goes_through_its_stages) {
  const TemporaryFolder folder;
  const auto ini = folder.path() / "causal.ini", run = folder.path() / "run";
  std::ofstream(ini)
      << "[exact]\nkind = gaussian\n[model]\ndim = 64\nheads = 2\npatch_t = 1\n"
         "patch_h = 2\npatch_w = 2\nmiddle = 2\nprediction = velocity\nchunk_frames = 2\n"
         "[train]\nbatch = 4\n[optim]\nwarmup = 0\n[sample]\nevery = 0\n[eval]\nevery = 0\n"
         "[stage1]\ntrain.iterations = 2\nobjective.fm_share = 1\n"
         "[stage2]\ntrain.iterations = 2\nobjective.kind = anyflow\n"
         "[stage3]\ntrain.iterations = 2\nobjective.kind = anyflow-on-policy\n"
         "anyflow.teacher = stage-1\nanyflow.teacher_guidance = 1\n";
  const auto dry =
      eflow_says("train --dry-run --config " + ini.string() + " --out " + run.string());
  BOOST_TEST(contains(dry.text, "10 forwards per clip"),
             dry.text);  // stage 2: 5 each for noisy and clean clips
  const auto trained = eflow_says("train --config " + ini.string() + " --out " + run.string());
  BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
  const auto exact = eflow_says("eval --exact --run " + run.string());
  BOOST_TEST(exact.code == 2);
  BOOST_TEST(contains(exact.text, "chunk by chunk"), exact.text);
  const auto whole = eflow_says("eval --exact --clips 8 --run " + (run / "stage-1").string());
  BOOST_TEST(whole.code == 0, whole.text);
  refused("train --config " + ini.string() + " --model.attention=sana --out " + run.string() + "-2",
          2, "no chunk-causal form");
}

BOOST_AUTO_TEST_CASE(wrong_words) {
  refused("", 2, "eflow train");
  refused("ckpt", 2, "eflow ckpt verify");
  const auto group = eflow_says("bench --help");
  BOOST_TEST(group.code == 0);
  BOOST_TEST((contains(group.text, "eflow bench comm") && !contains(group.text, "eflow train")));
  refused("ckpts", 2, "unknown command 'ckpts'");
  refused("tran", 2, "did you mean 'train'?");
  refused("data pakc", 2, "did you mean 'data pack'?");
  refused("train --out x --train.bach=3", 2, "did you mean 'train.batch'?");
  refused("train --out x --config /nowhere/c.ini", 2, "/nowhere/c.ini");
  refused("sample --run x", 2, "--out is missing: ");
  refused("train --out '' --data x", 2, "--out: expected a value, found ''. Folder of the run.");
  refused("inspect --preset XXXL", 2, "XXXL");
}

BOOST_AUTO_TEST_CASE(what_a_file_contains_does_not_steer_the_terminal) {
  const TemporaryFolder folder;
  const auto ini = folder.path() / "odd.ini";
  std::ofstream(ini) << "\x1b[31mred\n";
  const auto outcome = eflow_says("train --out x --config " + ini.string());
  BOOST_TEST(outcome.code == 2);
  BOOST_TEST(contains(outcome.text, "odd.ini:1: "), outcome.text);
  BOOST_TEST(contains(outcome.text, "\\x1b[31mred"), outcome.text);
}

BOOST_AUTO_TEST_CASE(a_data_set_that_is_none_is_named) {
  const TemporaryFolder folder;
  const auto words = [&](const char* name) {
    return "data info " + (folder.path() / name).string();
  };
  refused(words("none"), 3, "no such folder; create one with 'eflow data pack'");
  std::ofstream(folder.path() / "plain") << "x";
  refused(words("plain"), 3, "expected a folder, found a file");
  std::filesystem::create_directory(folder.path() / "empty");
  refused(words("empty"), 3, "manifest.json is missing");
  refused("inspect " + (folder.path() / "plain").string(), 3, "expected a shard in the folder");
}

BOOST_AUTO_TEST_CASE(the_recipe_is_measured) {
  const auto outcome = eflow_says(
      "bench ladder --encoder 1 --middle 1 --decoder 1 --frames 2 --side 4 --calls 1 --json");
  BOOST_REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  const auto rungs = nlohmann::json::parse(outcome.text).at("rungs");
  BOOST_TEST(rungs.size() == 6U);
}

BOOST_AUTO_TEST_CASE(attention_is_measured) {
  const auto outcome = eflow_says(
      "bench glga --tokens 200,96 --window 32 --head 16 --drop 0,75 --threads 1,2 --dtype both "
      "--heads 2 --seconds 0 --json");
  BOOST_REQUIRE_MESSAGE(outcome.code == 0, outcome.text);
  const auto parsed = nlohmann::json::parse(outcome.text);
  const auto& results = parsed.at("results");
  BOOST_TEST(!parsed.at("isa").get<std::string>().empty());
  BOOST_REQUIRE(results.size() == 16U);
  for (const auto& r : results) {
    const auto& forward = r.at("forward");
    const auto& backward = r.at("backward");
    for (const auto* pass : {&forward, &backward}) {
      BOOST_TEST(pass->at("seconds").get<double>() > 0);
      BOOST_TEST(pass->at("gain_over_composition").get<double>() > 0);
      BOOST_TEST(pass->at("gflops_executed").get<double>() >=
                 pass->at("gflops_useful").get<double>());
    }
    const auto kept = r.at("kept").get<std::int64_t>(),
               drop = r.at("drop_percent").get<std::int64_t>();
    BOOST_TEST(kept == r.at("tokens").get<std::int64_t>() * (100 - drop) / 100);
    BOOST_TEST(r.contains("window_in_code") == (drop == 0 && r.at("fused").get<bool>()));
  }
  // 33 keys per query except at the ends, 4 operations per channel, and both products of the linear
  // branch.
  const auto& first = results.at(0).at("forward");
  const double operations = 2 * (4 * 16 * (200 * 33 - 16 * 17) + 4 * 200 * 16 * 16);
  const double found =
      first.at("gflops_useful").get<double>() * 1e9 * first.at("seconds").get<double>();
  BOOST_TEST(std::abs(found - operations) < 1e-6 * operations);
  refused("bench glga --tokens 12,x", 2, "--tokens is '12,x'");
  refused("bench glga --drop 100", 2, "from 0 to 99");
  refused("plot --data c.json --out c.png", 2, ".svg");
}

BOOST_AUTO_TEST_CASE(presets_count_their_parameters) {
  for (const char* name : {"B", "XL", "XXL", "1.5B", "quickstart", "sprites", "tiny"}) {
    const auto outcome = eflow_says("inspect --preset " + std::string(name));
    BOOST_TEST(outcome.code == 0, outcome.text);
    BOOST_TEST(contains(outcome.text, "parameters ("), outcome.text);
  }
}

BOOST_AUTO_TEST_CASE(the_manual_lists_all_options) {
  BOOST_TEST(
      (eflow_says("inspect --options").text == content_of(EFLOW_CONFIGS "/../docs/options.md")),
      "docs/options.md is outdated: eflow inspect --options > docs/options.md");
}

BOOST_AUTO_TEST_CASE(wrong_arrays) {
  const TemporaryFolder folder;
  const auto& f = folder.path();
  refused(pack_words(f), 3, "no such file");
  write_arrays(f, 6, std::nanf(""));
  refused(pack_words(f), 3, "is nan");
  write_arrays(f, 6, 0, 7);
  refused(pack_words(f, "--classes 3"), 3, "label");
  refused(pack_words(f, "--layout NTHWX"), 3, "NTHWX");
  BOOST_TEST(!std::filesystem::exists(f / "set/manifest.json"));
  const std::vector<float> cube(3 * 3 * 3 * 3 * 3);
  io::write_npy(f / "videos.npy", DType::kF32, {3, 3, 3, 3, 3}, std::as_bytes(std::span(cube)));
  refused("data pack --videos " + (f / "videos.npy").string() + " --out " + (f / "set").string(), 2,
          "--layout");
}

BOOST_AUTO_TEST_CASE(a_truncated_shard_is_refused) {
  const WithSet folder;
  BOOST_TEST(eflow_says("data verify " + (folder.path() / "set").string()).code == 0);
  BOOST_TEST(eflow_says("data info " + (folder.path() / "set").string()).code == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "set")) {
    if (entry.path().extension() == ".h5")
      std::filesystem::resize_file(entry.path(), entry.file_size() - 100);
  }
  BOOST_TEST(eflow_says("data verify " + (folder.path() / "set").string()).code == 3);
  BOOST_TEST(eflow_says(train_words(folder.path())).code == 3);
}

BOOST_AUTO_TEST_CASE(sizes_must_be_divisible_by_the_patch) {
  const WithSet folder;
  refused(train_words(folder.path(), "--model.patch-h=5"), 2,
          "model.patch_h: expected a divisor of the clips' height = 16");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "run"));
  refused(train_words(folder.path(), "--data /nowhere"), 3, "/nowhere");
}

BOOST_AUTO_TEST_CASE(train_sample_inspect_and_another_models_checkpoint) {
  const WithSet folder;
  const auto run = (folder.path() / "run").string();
  const auto dry = eflow_says(train_words(folder.path(), "--dry-run"));
  BOOST_TEST(dry.code == 0, dry.text);
  BOOST_TEST(!std::filesystem::exists(run));
  const auto trained = eflow_says(train_words(folder.path()));
  BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
  for (const char* file : {"config.ini", "data.json", "metrics.jsonl", "samples/step-12.png",
                           "samples/step-12.webp"}) {
    BOOST_TEST(std::filesystem::exists(run + "/" + file), file);
  }
  BOOST_TEST(eflow_says("inspect " + run).code == 0);

  std::filesystem::rename(folder.path() / "set", folder.path() / "gone");  // sampling needs no data
  const auto out = (folder.path() / "out").string();
  const auto sampled =
      eflow_says("sample --run " + run + " --steps 2 --label 1 --count 2 --out " + out);
  BOOST_TEST(sampled.code == 0, sampled.text);
  for (const char* file : {"sheet.png", "clips.webp", "samples.npy"})
    BOOST_TEST(std::filesystem::exists(out + "/" + file), file);
  const auto npy = content_of(out + "/samples.npy");
  BOOST_TEST(
      eflow_says("sample --run " + run + " --steps 2 --label 1 --count 2 --out " + out).code == 0);
  BOOST_TEST((content_of(out + "/samples.npy") == npy));  // the same seed makes the same clips
  refused("sample --run " + run + " --label 3 --out " + out, 2,
          "label: expected a number from 0 to 2");
  refused("sample --run " + (folder.path() / "gone").string() + " --out " + out, 4, "");
  std::filesystem::rename(folder.path() / "gone", folder.path() / "set");

  const auto before = content_of(run + "/metrics.jsonl");
  refused(train_words(folder.path(), "--model.dim=16"), 4, "model.dim: checkpoint 32, now 16");
  refused(train_words(folder.path(), "--train.seed=2"), 4, "train.seed: checkpoint 1, now 2");
  refused(train_words(folder.path(), "--resume never"), 2, "--resume");
  refused(train_words(folder.path(), "--resume /nowhere"), 4, "/nowhere");
  BOOST_TEST((content_of(run + "/metrics.jsonl") == before));
  BOOST_TEST(eflow_says(train_words(folder.path())).code == 0);  // finished: nothing left to do
  BOOST_TEST((content_of(run + "/metrics.jsonl") == before));
}

BOOST_AUTO_TEST_CASE(features_judge_samples) {
  const WithSet folder;
  const auto set = (folder.path() / "set").string(),
             features = (folder.path() / "features").string();
  const auto trained = eflow_says("eval train-features --data " + set + " --out " + features +
                                  " --iterations 5 --batch 8");
  BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
  BOOST_TEST(contains(trained.text, "held-out accuracy"), trained.text);
  BOOST_REQUIRE(eflow_says(train_words(folder.path(), "--train.iterations=2")).code == 0);
  const auto run = (folder.path() / "run").string();
  const auto judged =
      eflow_says("eval --run " + run + " --features " + features + " --count 6 --json");
  BOOST_TEST(judged.code == 0, judged.text);
  BOOST_TEST(contains(judged.text, "\"samples\":6"), judged.text);
  const auto distant = eflow_says("eval --run " + run + " --features " + features + " --data " +
                                  set + " --count 6 --json");
  BOOST_REQUIRE_MESSAGE(distant.code == 0, distant.text);
  const auto line = nlohmann::json::parse(distant.text);
  BOOST_TEST(line.at("distance").at("clips") == 6);
  BOOST_TEST(line.at("distance").at("frechet").get<double>() > 0);
  BOOST_TEST(line.at("floor").at("clips") == 2);
  BOOST_TEST(line.at("reference") == 22);
  refused("eval --run " + run + " --features " + run, 4, "features");
  refused("eval --run " + run, 2, "--features is missing");
  refused("eval --run " + run + " --exact", 2, "exact.kind");
}

BOOST_AUTO_TEST_CASE(features_of_ones_own_are_compared) {
  const TemporaryFolder folder;
  const auto a = folder.path() / "a.npy", b = folder.path() / "b.npy";
  const std::vector<double> rows = {0, 0, 2, 0, 0, 2, 2, 2};
  std::vector<float> moved(rows.begin(), rows.end());
  for (float& value : moved) value += 3;
  io::write_npy(a, DType::kF64, {4, 2}, std::as_bytes(std::span(rows)));
  io::write_npy(b, DType::kF32, {4, 2}, std::as_bytes(std::span(moved)));
  const auto found = eflow_says("eval frechet " + a.string() + " " + b.string() + " --json");
  BOOST_REQUIRE_MESSAGE(found.code == 0, found.text);
  const auto line = nlohmann::json::parse(found.text);
  BOOST_TEST(std::abs(line.at("frechet").get<double>() - 18) < 1e-9);
  BOOST_TEST(line.at("features") == 2);
  refused("eval frechet " + a.string(), 2, "two .npy files");
  refused("eval frechet " + a.string() + " /nowhere.npy", 8, "/nowhere.npy");
}

BOOST_AUTO_TEST_CASE(runs_on_an_exact_flow_are_measured_against_it) {
  const TemporaryFolder folder;
  const auto run = (folder.path() / "run").string();
  const auto trained = eflow_says("train --config " EFLOW_CONFIGS "/exact-guided.ini --out " + run +
                                  " --train.iterations=3 --optim.warmup=0 --train.batch=8");
  BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
  const auto found = eflow_says("eval --run " + run + " --exact --clips 8 --guidance 3 --json");
  BOOST_REQUIRE_MESSAGE(found.code == 0, found.text);
  const auto line = nlohmann::json::parse(found.text);
  BOOST_TEST(line.at("w") == 3);
  BOOST_TEST(line.at("map").size() == 10);
  BOOST_TEST(line.at("weak_velocity").size() == 6);
  BOOST_TEST(line.at("samples").size() == 12);
  BOOST_TEST(line.at("defect").at("random").get<double>() > 0);
}

/// A stage takes over averaged weights, or the whole state of the stage before it; resuming keeps it.
BOOST_AUTO_TEST_CASE(a_stage_takes_over_what_it_is_told_to) {
  const WithSet folder;
  const auto arrays_of = [&](const std::string& stage, std::int64_t step) {
    const auto path = folder.path() / "run" / stage / "checkpoints";
    std::map<std::string, std::vector<float>> values;
    for (const auto& array : io::Checkpoint(io::CheckpointStore(path).path_of(step)).load()) {
      auto& into = values[array.name];
      into.resize(array.bytes.size() / sizeof(float));
      std::memcpy(into.data(), array.bytes.data(), array.bytes.size());
    }
    return values;
  };
  const auto far = [](const std::vector<float>& a, const std::vector<float>& b) {
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      most = std::max(most, std::abs(double{a[i]} - double{b[i]}));
    return most;
  };
  for (const bool all : {false, true}) {
    std::filesystem::remove_all(folder.path() / "run");
    const std::string stages =
        str("--train.iterations=3 --sample.every=0 --checkpoint.every=1 --optim.warmup=0 "
            "--stage1.optim.lr=1e-2 --stage2.optim.lr=1e-9 --stage2.train.init_state=",
            all ? "all" : "average");
    const auto trained = eflow_says(train_words(folder.path(), stages));
    BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
    auto before = arrays_of("stage-1", 3), after = arrays_of("stage-2", 2);
    double to_model = 0, to_average = 0;
    std::int64_t lost = 0;  // second moments that do not hold those of stage 1
    for (const auto& [name, values] : before) {
      if (!name.starts_with("model/")) continue;
      const std::string part = name.substr(6);
      to_model = std::max(to_model, far(values, after.at(name)));
      to_average = std::max(to_average, far(before.at("ema/" + part), after.at(name)));
      // A step keeps beta2 >= .99 of a second moment and adds to it.
      if (!before.contains("adamw/v." + part)) continue;  // a constant of the network
      const auto &then = before.at("adamw/v." + part), &now = after.at("adamw/v." + part);
      for (std::size_t i = 0; i < now.size(); ++i) lost += now[i] < 0.97f * then[i];
    }
    BOOST_TEST((all ? to_model : to_average) < 1e-6);
    BOOST_TEST((all ? to_average : to_model) > 1e-4);
    BOOST_TEST((lost == 0) == all);
    const auto metadata =
        io::Checkpoint(io::CheckpointStore(folder.path() / "run/stage-2/checkpoints").path_of(3))
            .metadata();
    BOOST_TEST(contains(metadata, "\"earlier_updates\":3") == all);
  }
}

BOOST_AUTO_TEST_CASE(stages_follow_each_other) {
  const WithSet folder;
  const std::string stages =
      "--train.iterations=2 --sample.every=0 --stage1.drop.tokens=groups-3d "
      "--stage2.train.iterations=3 --stage2.train.freeze=encoder.*,patch.*";
  const auto trained = eflow_says(train_words(folder.path(), stages));
  BOOST_REQUIRE_MESSAGE(trained.code == 0, trained.text);
  const auto run = folder.path() / "run";
  const auto state = [&](const char* stage, std::int64_t step) {
    return io::Checkpoint(io::CheckpointStore(run / stage / "checkpoints").path_of(step)).load();
  };
  const auto first = state("stage-1", 2), second = state("stage-2", 3);
  for (std::size_t i = 0; i < first.size(); ++i) {
    const bool frozen =
        first[i].name.starts_with("model/encoder.") || first[i].name.starts_with("model/patch.");
    if (!frozen) continue;
    const auto averaged = std::find_if(first.begin(), first.end(), [&](const auto& array) {
      return array.name == "ema/" + first[i].name.substr(6);
    });
    BOOST_REQUIRE(averaged != first.end());
    BOOST_TEST((second[i].bytes == averaged->bytes), first[i].name);
  }
  BOOST_TEST(contains(eflow_says("inspect " + run.string()).text, "step 3 of 3"));
  BOOST_TEST(eflow_says(train_words(folder.path(), stages)).code == 0);  // nothing left to do
  refused(train_words(folder.path(), "--stage1.model.dim=64"), 2, "same in all stages");
  refused(train_words(folder.path(), "--stage2.train.batch=4"), 2, "[stage1] is missing");
  refused(train_words(folder.path(), "--stage1.train.bach=4"), 2, "did you mean 'train.batch'?");
  refused("train --config " EFLOW_CONFIGS "/tiny.ini --data " + (folder.path() / "set").string() +
              " --out " + (folder.path() / "other").string() + " --train.freeze=nothing.*",
          2, "no parameter matches");
}

BOOST_AUTO_TEST_CASE(a_loss_that_is_not_finite_stops_the_run) {
  const WithSet folder;
  refused(train_words(
              folder.path(),
              "--optim.lr=10 --optim.clip=0 --optim.eps=0 --optim.warmup=0 --train.iterations=400 "
              "--optim.schedule=constant --optim.weight-decay=10 --eval.every=0 --sample.every=0"),
          6, "last good checkpoint");
}
