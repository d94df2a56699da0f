// The autotuner: listing, checking and racing configs, and the records kept; with fake times, and
// once with real ones.
#define BOOST_TEST_MODULE tuner
#include "eflow/jit/tune/tuner.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/cache/disk_cache.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tune/nearest_record.hpp"
#include "eflow/jit/tune/tuned_pack.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace fs = std::filesystem;

namespace {

/// y = `kTimes` x, computed by a loop with a tunable step. Step 7 gives a wrong result; step 9 does
/// not compile.
constexpr const char* kText =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/pack.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "struct Scale { const float* x; float* y; long long n, per_block; };\n"
    "template <int kTimes, int kStep>\n"
    "void scale(const Block& block, const Scale& a) {\n"
    "  static_assert(kStep != 9, \"no step of nine\");\n"
    "  const Index begin = block.x * a.per_block, end = min_of(begin + a.per_block, a.n);\n"
    "  for (Index at = begin; at < end; at += kStep) {\n"
    "    for (Index i = at; i < min_of<Index>(at + kStep, end); ++i)\n"
    "      a.y[i] = a.x[i] * float(kTimes) + (kStep == 7 ? 1.0f : 0.0f);\n"
    "  }\n"
    "}\n"
    "}\n";

struct Scale {
  const float* x;
  float* y;
  long long n, per_block;
};

KernelDefinition definition(std::vector<int> steps) {
  return {.name = "scale",
          .text = "acme/scale.h",
          .expression = "scale<$c0, $c1>",
          .space = {.tunables = {{"step", 1, std::move(steps)}},
                    .fits = [](const KernelSpec& s,
                               const DeviceLimits&) { return s.constants[1] <= 1000; }},
          .shared_bytes = {}};
}

struct Session {
  test::TempDir dir;
  Options options;
  std::vector<int> steps{4, 1, 7, 9, 64, 5000};
  std::map<int, double> seconds{{4, 1.0}, {1, 2.0}, {64, 0.5}};  // fake times by step
  std::map<int, int> launches;                                   // timed launches by step
  std::unique_ptr<Runtime> runtime;

  Session() {
    options.cache.named = dir / "cache";
    options.threads = 1;
    start();
  }
  /// Starts over, as a new process would.
  void start() {
    runtime = std::make_unique<Runtime>(options);
    runtime->add_text("acme/scale.h", kText);
    runtime->define(definition(steps));
  }

  static KernelRef kernel() { return {"scale", KernelSpec("scale", {}, {3, 4})}; }
  TuningDatabase database_of(const char* cache) const { return TuningDatabase(dir / cache); }
  TuningDatabase database() const { return TuningDatabase(dir / "cache"); }

  Workload workload() const {
    const auto x = std::make_shared<std::vector<float>>(5000, 2.0f);
    const auto y = std::make_shared<std::vector<float>>(5000);
    Workload out{.shape = {5000},
                 .launch =
                     [this, x, y](const KernelSpec& spec) {
                       const Scale args{x->data(), y->data(), 5000, 1000};
                       runtime->launch("scale", spec, {.x = 5}, args);
                     },
                 .clear = {},
                 .result = {}};
    use_host_output(out, y);
    return out;
  }

  TuneOptions fake_time() {
    return {.clock =
                [this](const Workload&, const KernelSpec& spec, int count) {
                  ++launches[spec.constants[1]];
                  const double wobble = 1 + 0.001 * (launches[spec.constants[1]] % 7);
                  return seconds.at(spec.constants[1]) * wobble * count;
                },
            .say = {}};
  }
  TuneOutcome tune_now(bool again = false) {
    TuneOptions o = fake_time();
    o.again = again;
    return tune(*runtime, database(), kernel(), workload(), o);
  }
  static int best_step_of(const TuneOutcome& o) {
    return o.record.configs[static_cast<std::size_t>(o.record.best)].values[0];
  }
  int best_step(const TuneOutcome& o) const {
    return o.record.configs[static_cast<std::size_t>(o.record.best)].values[0];
  }
  ConfigRecord config(const TuneOutcome& o, int step) const {
    const int i = o.record.find({step});
    BOOST_REQUIRE(i >= 0);
    return o.record.configs[static_cast<std::size_t>(i)];
  }
  fs::path record_file() const {
    for (const auto& file : fs::recursive_directory_iterator(dir / "cache/v1/tune")) {
      if (file.path().extension() == ".json") return file.path();
    }
    return {};
  }
  /// Changes the record, in the form that had no checksum and is still read.
  void edit(const std::string& from, const std::string& to) const {
    std::string text = read_file(record_file());
    if (const std::size_t sum = text.find(",\n \"checksum\""); sum != std::string::npos)
      text.erase(sum, text.find('\n', sum + 2) - sum);
    if (const std::size_t schema = text.find("\"schema\": 2"); schema != std::string::npos)
      text.replace(schema, 11, "\"schema\": 1");
    const std::size_t at = text.find(from);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, from);
    text.replace(at, from.size(), to);
    std::ofstream(record_file(), std::ios::trunc) << text;
  }
  int chosen_step() {
    start();
    return runtime->tuned("scale", kernel().spec, {5000}).constants[1];
  }
};

}  // namespace

/// If the default is the caller's, callers with different defaults share a record.
BOOST_AUTO_TEST_CASE(the_default_may_be_the_callers) {
  const ConfigSpace space{
      .tunables = {{"step", 1, {1, 4, 64}}}, .default_is_the_callers = true, .fits = {}};
  const KernelSpec by_four("scale", {}, {3, 4}), by_nine("scale", {}, {3, 9});
  BOOST_TEST((space.with_defaults(by_nine) == by_nine));
  BOOST_TEST((space.without_config(by_nine) == space.without_config(by_four)));
  const std::vector<KernelSpec> configs = space.configs(by_nine, {});
  BOOST_REQUIRE(configs.size() == 4u);
  BOOST_TEST((configs[0] == by_nine));
  BOOST_TEST(space.configs(by_four, {}).size() == 3u);

  Session s;
  s.options.cache.named = s.dir / "cache";
  KernelDefinition d = definition({1, 4, 64});
  d.space.default_is_the_callers = true;
  const auto start = [&] {
    s.runtime = std::make_unique<Runtime>(s.options);
    s.runtime->add_text("acme/scale.h", kText);
    s.runtime->define(d);
  };
  start();
  const TuneOutcome tuned =
      tune(*s.runtime, s.database(), {"scale", by_four}, s.workload(), s.fake_time());
  BOOST_TEST(s.best_step(tuned) == 64);
  BOOST_TEST(tuned.record.configs[0].values[0] == 4);
  start();
  const KernelSpec other("scale", {}, {3, 1});
  BOOST_TEST(s.runtime->tuned("scale", other, {5000}).constants[1] == 64);
  BOOST_TEST(s.runtime->tuned("scale", by_four, {5000}).constants[1] == 64);
  BOOST_TEST(s.runtime->tuned("scale", other, {50}).constants[1] == 1);  // of other sizes
}

BOOST_AUTO_TEST_CASE(a_space_is_enumerated_and_pruned) {
  const ConfigSpace space{.tunables = {{"rows", 1, {32, 64}}, {"stages", 3, {2, 3, 4}}},
                          .fits = [](const KernelSpec& s, const DeviceLimits& d) {
                            return s.constants[1] * s.constants[3] <= d.block_bytes;
                          }};
  const KernelSpec spec("k", {}, {9, 0, 8, 0});
  const std::vector<KernelSpec> all = space.configs(spec, {.block_bytes = 128});
  BOOST_REQUIRE(all.size() == 4u);
  BOOST_TEST((all[0] == KernelSpec("k", {}, {9, 32, 8, 2})));
  BOOST_TEST((all.back() == KernelSpec("k", {}, {9, 32, 8, 4})));
  BOOST_TEST(space.contains(all[1], {.block_bytes = 128}));
  BOOST_TEST(!space.contains(KernelSpec("k", {}, {9, 64, 8, 4}), {.block_bytes = 128}));
  BOOST_TEST(!space.contains(KernelSpec("k", {}, {9, 33, 8, 2}), {.block_bytes = 128}));
  // the default is always included
  BOOST_TEST(space.configs(spec, {.block_bytes = 1}).size() == 1u);
  Runtime runtime;
  for (const Tunable& wrong : {Tunable{"x", 12, {1}}, Tunable{"x", 0, {}}, Tunable{"", 0, {1}}}) {
    BOOST_CHECK_THROW(runtime.define({.name = "k",
                                      .text = "t.h",
                                      .expression = "k",
                                      .space = {.tunables = {wrong}, .fits = {}},
                                      .shared_bytes = {}}),
                      InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(buckets_have_edges) {
  BOOST_TEST((ShapeBucket{513, 64} == ShapeBucket{1024, 33}));
  BOOST_TEST(!(ShapeBucket{512} == ShapeBucket{513}));
  BOOST_TEST(!(ShapeBucket{1, 2} == ShapeBucket{2, 1}));
  BOOST_TEST((ShapeBucket{700}.low(0) == 512));
  BOOST_TEST((ShapeBucket{700}.high(0) == 1024));
  BOOST_TEST((ShapeBucket{0} == ShapeBucket{1}));
}

BOOST_AUTO_TEST_CASE(wrong_and_broken_configs_do_not_race_and_the_best_is_kept) {
  Session s;
  const TuneOutcome o = s.tune_now();
  BOOST_TEST(s.best_step(o) == 64);
  BOOST_TEST(o.separated);
  BOOST_TEST(!o.known);
  BOOST_TEST(std::abs(o.record.gain - 0.5) < 0.02);
  BOOST_TEST(name_of(s.config(o, 7).state) == "wrong");
  BOOST_TEST(s.config(o, 7).why.find("differ by") != std::string::npos);
  BOOST_TEST(name_of(s.config(o, 9).state) == "failed");
  BOOST_TEST(s.config(o, 9).why.find("no step of nine") != std::string::npos, s.config(o, 9).why);
  BOOST_TEST(o.record.find({5000}) == -1);
  BOOST_TEST(s.launches.count(7) + s.launches.count(9) == 0u);

  // Launches use the result, also in the next process; nothing is measured twice.
  BOOST_TEST(s.runtime->tuned("scale", Session::kernel().spec, {4097}).constants[1] == 64);
  BOOST_TEST(s.runtime->tuned("scale", Session::kernel().spec, {100}).constants[1] == 4);
  BOOST_TEST(s.chosen_step() == 64);
  BOOST_TEST(s.runtime->has(KernelSpec("scale", {}, {3, 64})));
  s.launches.clear();
  BOOST_TEST(s.tune_now().known);
  BOOST_TEST(s.launches.empty());
  s.options.tune = TuneMode::kOff;
  BOOST_TEST(s.chosen_step() == 4);
}

BOOST_AUTO_TEST_CASE(an_added_config_races_against_the_best_alone) {
  Session s;
  (void)s.tune_now();
  s.steps.push_back(128);
  s.seconds[128] = 0.3;
  s.start();
  s.launches.clear();
  const TuneOutcome o = s.tune_now();
  BOOST_TEST(s.best_step(o) == 128);
  BOOST_TEST(s.launches.count(1) == 0u);
  BOOST_TEST(s.launches.count(64) == 1u);
  BOOST_TEST(!s.config(o, 1).us.empty());  // earlier samples are kept
}

BOOST_AUTO_TEST_CASE(the_best_of_before_stays_unless_surely_beaten) {
  Session s;
  (void)s.tune_now();
  s.seconds = {{4, 0.49}, {1, 2.0}, {64, 0.5}};  // 2 %: within the hysteresis
  BOOST_TEST(s.best_step(s.tune_now(true)) == 64);
  s.seconds[4] = 0.4;
  BOOST_TEST(s.best_step(s.tune_now(true)) == 4);
}

BOOST_AUTO_TEST_CASE(a_killed_tuner_goes_on_where_it_was) {
  Session s;
  s.runtime.reset();  // no pool threads while forking
  const pid_t child = fork();
  if (child == 0) {
    s.start();
    int rounds = 0;
    TuneOptions o = s.fake_time();
    const LaunchClock clock = o.clock;
    o.clock = [&](const Workload& w, const KernelSpec& spec, int count) {
      usleep(1000);
      if (++rounds == 100) kill(getpid(), SIGKILL);
      return clock(w, spec, count) * 1e-3;
    };
    s.seconds[64] = s.seconds[4];  // a tie, which runs all rounds
    o.race.close = -1;
    try {
      (void)tune(*s.runtime, s.database(), Session::kernel(), s.workload(), o);
    } catch (const std::exception& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
    _exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_REQUIRE(WIFSIGNALED(status));
  std::string why;
  const auto before = TuningRecord::decode(read_file(s.record_file()), why);
  BOOST_REQUIRE_MESSAGE(before, why);
  BOOST_TEST(!before->finished);
  BOOST_TEST(name_of(before->configs[1].state) == "ok");
  BOOST_TEST(s.chosen_step() == 4);  // an interrupted race decides nothing
  const TuneOutcome o = s.tune_now();
  BOOST_TEST(o.record.finished);
  BOOST_TEST(name_of(s.config(o, 9).state) == "failed");
}

BOOST_AUTO_TEST_CASE(a_config_that_ends_the_process_is_left_out) {
  Session s;
  for (const bool left_out : {false, false, true}) {
    s.runtime.reset();
    const pid_t child = fork();
    if (child == 0) {
      s.start();
      Workload w = s.workload();
      const auto launch = w.launch;
      w.launch = [launch](const KernelSpec& spec) {
        if (spec.constants[1] == 1) _exit(9);
        launch(spec);
      };
      TuneOptions options = s.fake_time();
      options.trial_seconds = 0;  // as on a GPU
      const TuneOutcome o = tune(*s.runtime, s.database(), Session::kernel(), w, options);
      _exit(s.best_step(o) == 64 ? 0 : 1);
    }
    int status = 0;
    BOOST_REQUIRE(waitpid(child, &status, 0) == child);
    BOOST_TEST(WEXITSTATUS(status) == (left_out ? 0 : 9));
  }
  s.start();
  const TuneOutcome o = s.tune_now();
  BOOST_TEST(o.known);
  BOOST_TEST(name_of(s.config(o, 1).state) == "crashed");
}

BOOST_AUTO_TEST_CASE(a_config_that_hangs_or_crashes_dies_alone) {
  Session s;
  s.steps = {4, 1, 64, 2, 8, 16};
  for (const int step : s.steps) s.seconds.try_emplace(step, 3.0);
  s.start();
  Workload w = s.workload();
  const pid_t tuner = getpid();
  w.launch = [launch = w.launch, tuner](const KernelSpec& spec) {
    const int step = spec.constants[1];
    // Were these the tuner's own process, the test would end here.
    if (step == 1) BOOST_REQUIRE(getpid() != tuner);
    if (step == 1) std::this_thread::sleep_for(std::chrono::hours(1));
    if (step == 2) kill(getpid(), SIGSEGV);
    if (step == 8) _exit(9);
    if (step == 16) throw DeviceError("no");
    launch(spec);
  };
  TuneOptions options = s.fake_time();
  options.trial_seconds = 1;
  std::vector<std::string> said;
  options.say = [&](const std::string& line) { said.push_back(line); };
  const TuneOutcome o = tune(*s.runtime, s.database(), Session::kernel(), w, options);
  BOOST_TEST(s.best_step(o) == 64);
  BOOST_TEST(o.record.finished);
  const struct {
    int step;
    std::string_view state, why;
  } expected[] = {{1, "crashed", "did not finish in 1 s"},
                  {2, "crashed", "ended with signal 11"},
                  {8, "crashed", "ended with exit code 9"},
                  {16, "failed", "no"}};
  for (const auto& e : expected) {
    BOOST_TEST(name_of(s.config(o, e.step).state) == e.state);
    BOOST_TEST(s.config(o, e.step).why.find(e.why) != std::string::npos, s.config(o, e.step).why);
  }
  BOOST_TEST(std::any_of(said.begin(), said.end(), [](const std::string& line) {
    return line.find("did not finish in 1 s; excluded") != std::string::npos;
  }));
  BOOST_TEST(s.tune_now().known);  // and are not tried again
  // A default that hangs is an error, at once.
  s.steps = {1, 4};
  s.start();
  BOOST_CHECK_THROW(
      tune(*s.runtime, s.database(), {"scale", KernelSpec("scale", {}, {5, 1})}, w, options),
      DeviceError);
}

BOOST_AUTO_TEST_CASE(records_that_do_not_fit_are_not_used) {
  Session s;
  const test::Warnings silenced;
  (void)s.tune_now();
  const std::string good = read_file(s.record_file());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::ofstream(s.record_file(), std::ios::trunc) << good;
    s.edit(from, to);
    return s.chosen_step();
  };
  BOOST_TEST(with("\"schema\": 1", "\"schema\": 2") == 4);
  BOOST_TEST(with("\"text\": \"", "\"text\": \"0") == 4);
  BOOST_TEST(with("\"finished\": true", "\"finished\": false") == 4);
  BOOST_TEST(with("\"step\": 64", "\"step\": 65") == 4);       // not in the config space
  BOOST_TEST(with("\"device\": \"", "\"device\": \"x") == 4);  // a record of another device
  BOOST_TEST(with("\"best\": 4", "\"best\": 40") == 4);
  BOOST_TEST(with("\"best\": 4", "\"best\": 2") == 4);  // a config found to be wrong
  BOOST_TEST(with("{", "") == 4);
  // used, with a log line
  BOOST_TEST(with("\"toolchain\": \"", "\"toolchain\": \"another ") == 64);
  std::ofstream(s.record_file(), std::ios::trunc) << good;
  BOOST_TEST(s.chosen_step() == 64);
}

BOOST_AUTO_TEST_CASE(damage_to_a_record_is_found) {
  Session s;
  (void)s.tune_now();
  const std::string good = read_file(s.record_file());
  std::string why;
  const TuningKey key = TuningRecord::decode(good, why)->key;
  BOOST_TEST(s.database().get(key, why).has_value(), why);
  std::size_t used = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int bit : {1, 2, 16}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ bit);
      std::ofstream(s.record_file(), std::ios::trunc) << bad;
      used += s.database().get(key, why).has_value();
    }
  }
  BOOST_TEST(used == 0u);
  std::ofstream(s.record_file(), std::ios::trunc) << good.substr(0, good.size() / 2);
  BOOST_TEST(!s.database().get(key, why).has_value());
}

BOOST_AUTO_TEST_CASE(a_table_cannot_choose_where_it_is_written) {
  Session s, other;
  (void)s.tune_now();
  std::string why;
  const TuningRecord good = *TuningRecord::decode(read_file(s.record_file()), why);
  const auto imported = [&](const TuningRecord& record) {
    std::ofstream(s.dir / "evil.json", std::ios::trunc)
        << "{\"eflow_tuning\": 2, \"records\": [" << record.encode() << "]}";
    return other.database().import_from(s.dir / "evil.json");
  };
  const auto with_arch = [&](const std::string& arch) {
    TuningRecord r = good;
    r.key.arch = arch;
    return r;
  };
  BOOST_TEST(imported(good) == 1u);
  for (const char* arch : {"../../../x", "/tmp/x", "..", ".", "", "a/b", "x\ny"}) {
    BOOST_TEST(imported(with_arch(arch)) == 0u, arch);
    if (*arch != '\0' && std::string_view(arch) != "." && std::string_view(arch) != "x\ny" &&
        std::string_view(arch) != "a/b")
      BOOST_CHECK_THROW(other.database().put(with_arch("../../" + std::string(arch))),
                        InvalidArgument);
  }
  TuningRecord r = good;
  r.key.kernel.name = "..";
  BOOST_TEST(imported(r) == 0u);
  std::ofstream(s.dir / "deep.json") << "{\"records\": [" << std::string(200000, '[');
  BOOST_CHECK_THROW((void)other.database().import_from(s.dir / "deep.json"), CorruptData);
}

BOOST_AUTO_TEST_CASE(a_table_is_given_to_other_machines) {
  Session s, other;
  (void)s.tune_now();
  BOOST_TEST(s.database().export_to(s.dir / "table.json") == 1u);
  BOOST_TEST(other.chosen_step() == 4);
  BOOST_TEST(other.database().import_from(s.dir / "table.json") == 1u);
  BOOST_TEST(other.chosen_step() == 64);

  std::string text = read_file(s.dir / "table.json");
  text.replace(text.find("\"state\": \"ok\""), 13, "\"state\": \"no\"");
  std::ofstream(s.dir / "bad.json") << text;
  int unsound = 0;
  BOOST_TEST(other.database().import_from(
                 s.dir / "bad.json", [&](const fs::path&, const std::string&) { ++unsound; }) ==
             0u);
  BOOST_TEST(unsound == 1);
  std::ofstream(s.dir / "none.json") << "[1, 2]";
  BOOST_CHECK_THROW((void)other.database().import_from(s.dir / "none.json"), CorruptData);
}

BOOST_AUTO_TEST_CASE(a_race_begins_where_a_similar_one_ended) {
  Session s;
  BOOST_TEST(Session::best_step_of(s.tune_now()) == 64);
  // Other sizes: the configs that were fastest are timed first, and all are timed.
  std::string said;
  TuneOptions o = s.fake_time();
  o.say = [&](const std::string& line) { said += line + "\n"; };
  Workload larger = s.workload();
  larger.shape = {50000};
  s.seconds = {{4, 1.0}, {1, 0.2}, {64, 0.5}};
  const TuneOutcome there = tune(*s.runtime, s.database(), Session::kernel(), larger, o);
  BOOST_TEST(
      said.find("the race begins with 3 configs that were the fastest for sizes (4096, 8192] "
                "on ") != std::string::npos,
      said);
  BOOST_TEST(Session::best_step_of(there) == 1);  // not what was the fastest there
  BOOST_TEST(there.record.key.shape.high(0) == 65536);

  // The nearest sizes, preferably of the same device; never another text.
  TuningRecord want = there.record;
  want.key.shape = {30000};
  std::vector<TuningRecord> known(4, there.record);
  known[0].key.device = "another";
  known[0].key.shape = {30000};
  known[1].key.shape = {100};
  known[2].key.shape = {60000};
  known[3].key.shape = {30000};
  known[3].text = "another";
  BOOST_TEST(nearest_record(known, want) == &known[2]);
  known[2].finished = false;
  BOOST_TEST(nearest_record(known, want) == &known[1]);
  known[1].key.kernel.spec.constants[0] = 17;
  BOOST_TEST(nearest_record(known, want) == &known[0]);
  known[0].tunables = {"other"};
  BOOST_TEST(nearest_record(known, want) == nullptr);
  BOOST_TEST(
      fastest_configs(there.record, want, 2) == (std::vector<int>{1, there.record.find({64})}),
      boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_pack_carries_records_and_their_kernels) {
  Session s;
  BOOST_TEST(Session::best_step_of(s.tune_now()) == 64);
  std::string said;
  const fs::path file = s.dir / "tuned.pack";
  KernelBuilder& builder = s.runtime->builder();
  TuningRecord unfinished = s.database().all().at(0), changed = unfinished, unknown = unfinished;
  unfinished.finished = false;
  changed.text = "another";
  unknown.key.kernel = {"unknown", KernelSpec("unknown", {})};
  TunedPackOptions pack{.targets = {{Backend::kHost, "baseline"}}, .limits = {}, .say = {}};
  pack.say = [&](const std::string& line) { said += line + "\n"; };
  const TunedPack written = write_tuned_pack(
      file, builder, {s.database().all().at(0), unfinished, changed, unknown}, pack);
  BOOST_TEST(written.records == 1u);
  BOOST_TEST(written.kernels == (s.runtime->target().arch == "baseline" ? 1u : 2u));
  BOOST_TEST(written.ptx == 0u);
  for (const char* why :
       {"its tuning did not finish", "the kernel's text has changed", "it has 1 "})
    BOOST_TEST(said.find(why) != std::string::npos, said);
  BOOST_CHECK_THROW(
      static_cast<void>(write_tuned_pack(s.dir / "none", builder, {unfinished}, pack)),
      InvalidArgument);

  // A machine without a compiler and without a cache of its own.
  s.options.packs = {file};
  s.options.cache.named = s.dir / "other";
  s.options.cxx = "/nonexistent";
  s.start();
  BOOST_TEST(s.chosen_step() == 64);
  BOOST_TEST(s.runtime->stats().compiled == 0u);
  s.workload().launch(KernelSpec("scale", {}, {3, 64}));
  // Its own records come first, and import makes them its own.
  BOOST_TEST(s.database_of("other").import_from(file) == 1u);
  BOOST_TEST(s.database_of("other").all().size() == 1u);

  // Damage to the records costs a warning and the tuned config, not the kernels.
  std::string bytes = read_file(file);
  bytes.back() ^= 1;
  std::ofstream(file, std::ios::trunc) << bytes;
  s.options.cache.named = s.dir / "third";
  const test::Warnings warnings;
  s.start();
  BOOST_TEST(s.chosen_step() == 4);
  BOOST_TEST(warnings.count_with("the tuning records of a pack are ignored") == 1);
  BOOST_TEST(s.runtime->prepare({{"scale", KernelSpec("scale", {}, {3, 64})}})[0].ok());
}

BOOST_AUTO_TEST_CASE(one_process_tunes_on_a_device) {
  Session s;
  const DeviceLimits& limits = s.runtime->limits();
  const FileLock lock = s.database().lock(limits.name, limits.arch);
  BOOST_CHECK_THROW((void)s.tune_now(), IoError);
}

BOOST_AUTO_TEST_CASE(an_import_and_a_tuner_lose_nothing_of_each_other) {
  Session s;
  (void)s.tune_now();
  const fs::path table = s.dir / "table.json";
  BOOST_TEST(s.database().export_to(table) == 1u);
  const DeviceLimits& limits = s.runtime->limits();
  {
    const FileLock tuner = s.database().lock(limits.name, limits.arch);
    BOOST_CHECK_THROW((void)s.database().import_from(table), IoError);
  }
  BOOST_TEST(s.database().import_from(table) == 1u);
}

BOOST_AUTO_TEST_CASE(kernels_without_a_space_or_a_default_are_refused) {
  Session s;
  s.runtime->define({.name = "plain",
                     .text = "acme/scale.h",
                     .expression = "scale<3, 4>",
                     .space = {},
                     .shared_bytes = {}});
  BOOST_CHECK_THROW((void)tune(*s.runtime, s.database(), {"plain", KernelSpec("plain", {})},
                               s.workload(), s.fake_time()),
                    InvalidArgument);
  s.steps = {9, 4};
  s.start();
  BOOST_CHECK_THROW((void)s.tune_now(), CompileError);
}

BOOST_AUTO_TEST_CASE(it_runs_for_real) {
  Session s;
  TuneOptions o;
  o.race = {.max_rounds = 15, .budget_seconds = 300};
  o.batch_seconds = 2e-4;
  const TuneOutcome out = tune(*s.runtime, s.database(), Session::kernel(), s.workload(), o);
  BOOST_TEST(out.record.finished);
  for (const int step : {4, 1, 64}) BOOST_TEST(!s.config(out, step).us.empty());
  const KernelSpec tuned = s.runtime->tuned("scale", Session::kernel().spec, {5000});
  BOOST_TEST(tuned.constants[1] == s.best_step(out));
  const Workload w = s.workload();
  w.clear();
  w.launch(tuned);
  for (const double y : w.result()) BOOST_REQUIRE(y == 6);
}
