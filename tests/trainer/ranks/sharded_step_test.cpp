// Steps that are divided over ranks: the same bits for every number of ranks. The ranks are threads,
// each with a model and a trainer of its own.
#define BOOST_TEST_MODULE sharded_step
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>
#include <mutex>

#include "eflow/core/comm/local_channel.hpp"
#include "eflow/core/tensor/op_watch.hpp"
#include "eflow/tests/support/ranks.hpp"
#include "eflow/tests/support/tiny_training.hpp"
#include "eflow/trainer/ranks/flat_layout.hpp"
#include "eflow/trainer/ranks/replica_check.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

constexpr std::int64_t kShards = 8, kSteps = 6;

/// Everything that a run of some steps leaves behind, as bytes and texts that compare exactly.
struct Trace {
  std::vector<std::string> lines;            ///< of the metrics, without times
  std::map<std::string, std::string> state;  ///< of rank 0
};

std::string line_of(trainer::StepMetrics m) {
  m.samples_per_s = m.step_s = m.data_wait_s = 0;
  m.comm_s.reset();
  m.comm_hidden_s.reset();
  return trainer::to_json_line(m);
}

std::map<std::string, std::string> bytes_of(const nn::NamedTensors& state) {
  std::map<std::string, std::string> all;
  for (const auto& [name, tensor] : state) {
    const auto values = tensor.to_vector<float>();
    all[name].assign(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  }
  return all;
}

nn::NamedTensors copy_of(const nn::NamedTensors& state) {
  nn::NamedTensors all;
  for (const auto& [name, tensor] : state) {
    all.emplace_back(name, Tensor::empty(tensor.shape(), tensor.dtype()));
    all.back().second.assign(tensor);
  }
  return all;
}

/// What a run is resumed from.
struct Saved {
  nn::NamedTensors state = {};
  std::int64_t steps = 0;
};

/// Takes `steps` steps on `ranks` ranks, from `saved` if it has steps, and leaves the state there.
Trace train(const trainer::Config& config, int ranks, std::int64_t steps, Saved* saved) {
  Trace trace;
  Saved after;
  std::mutex mutex;
  std::vector<std::vector<std::string>> lines(static_cast<std::size_t>(ranks));
  comm::run_ranks(
      ranks,
      [&](comm::Communicator& world) {
        TinyTraining training(config, &world);
        training.source.spiked = config.train.skip_nonfinite > 0 ? 7 : -1;
        if (saved->steps > 0) training.run.load_state(saved->state, saved->steps);
        auto& own = lines[static_cast<std::size_t>(world.rank())];
        for (std::int64_t n = 0; n < steps; ++n) own.push_back(line_of(training.run.step()));
        const nn::NamedTensors state = training.run.state();
        if (!world.is_first()) return;
        const std::lock_guard lock(mutex);
        trace.state = bytes_of(state);
        after = {copy_of(state), training.run.steps()};
      },
      std::chrono::seconds(60));
  for (const auto& other : lines) BOOST_TEST((other == lines[0]), "the ranks' metrics differ");
  trace.lines = lines[0];
  *saved = std::move(after);
  return trace;
}

Trace train(const trainer::Config& config, int ranks, std::int64_t steps = kSteps) {
  Saved fresh;
  return train(config, ranks, steps, &fresh);
}

void require_equal(const Trace& found, const Trace& expected, const std::string& what) {
  BOOST_REQUIRE_MESSAGE(found.lines == expected.lines, what << ": last line\n"
                                                            << found.lines.back() << "\nexpected\n"
                                                            << expected.lines.back());
  BOOST_REQUIRE_EQUAL(found.state.size(), expected.state.size());
  for (const auto& [name, bytes] : expected.state)
    BOOST_REQUIRE_MESSAGE(found.state.at(name) == bytes, what << ": " << name << " differs");
}

trainer::Config config_of(const char* precision, std::int64_t accumulation = 1) {
  trainer::Config config = TinyTraining::config(precision);
  config.train.batch = 16;
  config.train.shards = kShards;
  config.train.accumulation = accumulation;
  config.drop.kind = soflow::DropKind::kGroups3d;
  config.drop.ratio = 0.75;
  return config;
}

}  // namespace

BOOST_AUTO_TEST_CASE(one_two_four_and_eight_ranks_are_the_same_run) {
  for (const char* precision : {"f32", "bf16"}) {
    for (const std::int64_t accumulation : {1, 2}) {
      const trainer::Config config = config_of(precision, accumulation);
      const Trace one = train(config, 1);
      BOOST_REQUIRE_EQUAL(one.lines.size(), static_cast<std::size_t>(kSteps));
      for (const int ranks : {2, 3, 4, 8})
        require_equal(train(config, ranks), one,
                      str(precision, ", accumulation ", accumulation, ", ", ranks, " ranks"));
    }
  }
}

/// All ranks skip the same step: the one with a clip whose loss is not finite.
BOOST_AUTO_TEST_CASE(ranks_skip_together) {
  trainer::Config config = config_of("f32");
  config.train.skip_nonfinite = 2;
  const Trace one = train(config, 1);
  const auto skips = [](const Trace& trace) {
    return std::count_if(trace.lines.begin(), trace.lines.end(), [](const std::string& line) {
      return line.find("\"loss\":null") != std::string::npos;
    });
  };
  BOOST_REQUIRE(skips(one) > 0);
  BOOST_TEST(one.lines.back().find(str("\"skipped\":", skips(one))) != std::string::npos);
  for (const int ranks : {2, 3, 4}) require_equal(train(config, ranks), one, str(ranks, " ranks"));
}

// 6 shards on 4 ranks: the ranks hold sums of different depths.
BOOST_AUTO_TEST_CASE(shards_that_no_power_of_two_divides) {
  trainer::Config config = config_of("f32");
  config.train.batch = 12;
  config.train.shards = 6;
  const Trace one = train(config, 1, 3);
  for (const int ranks : {2, 3, 4, 5, 6})
    require_equal(train(config, ranks, 3), one, str(ranks, " ranks"));
}

// The tiny model has one bucket by default. Also with recomputed blocks, whose parameters the graph
// does not show, and micro-batches, of which only the last one completes a gradient.
BOOST_AUTO_TEST_CASE(buckets_do_not_change_results) {
  for (const bool recompute : {false, true}) {
    trainer::Config config = config_of("f32", 2);
    config.model.recompute = recompute;
    const Trace one = train(config, 1, 3);
    for (const double kib : {0.0, 0.1, 4.0, 32.0}) {
      config.train.slice_mib = kib / 1024;
      for (const int ranks : {1, 2, 3, 8})
        require_equal(train(config, ranks, 3), one, str(kib, " KiB, ", ranks, " ranks"));
    }
  }
}

/// Of the bytes that two ranks exchange in a step until its last backward pass ends, the share that
/// was on its way before half of that pass' operations had run.
double early_share(const trainer::Config& config) {
  double share = 0;
  comm::run_ranks(2, [&](comm::Communicator& world) {
    TinyTraining training(config, &world);
    const std::size_t before = world.bytes();
    std::vector<std::size_t> bytes;  // after each operation of the backward passes
    {
      const OpWatch watch([&](const OpEvent& event) {
        if (event.backward) bytes.push_back(world.bytes() - before);
      });
      static_cast<void>(training.run.step());
    }
    if (!world.is_first()) return;
    const std::size_t passes = kShards / 2, half = bytes.size() - bytes.size() / passes / 2;
    const auto gradients =
        static_cast<double>(sizeof(float) * nn::parameter_count(training.model->config()));
    share = static_cast<double>(bytes[half]) / gradients;
  });
  return share;
}

BOOST_AUTO_TEST_CASE(buckets_travel_during_the_backward_pass) {
  trainer::Config config = config_of("f32");
  for (const bool recompute : {false, true}) {
    config.model.recompute = recompute;
    config.train.slice_mib = 1.0 / 1024;
    BOOST_TEST(early_share(config) > 0.1);
    config.train.slice_mib = 0;
    BOOST_TEST(early_share(config) == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_run_moves_between_numbers_of_ranks) {
  const trainer::Config config = config_of("f32");
  const Trace whole = train(config, 1, 8);
  Saved saved;
  std::vector<std::string> lines;
  Trace last;
  for (const int ranks : {4, 2, 1, 8}) {
    last = train(config, ranks, 2, &saved);
    lines.insert(lines.end(), last.lines.begin(), last.lines.end());
  }
  BOOST_TEST(lines == whole.lines, boost::test_tools::per_element());
  require_equal({lines, last.state}, whole, "4, 2, 1, 8 ranks");
}

BOOST_AUTO_TEST_CASE(one_shard_is_the_step_without_shards) {
  trainer::Config config = config_of("f32");
  config.train.shards = 1;
  const Trace one = train(config, 1, 3);
  config.train.shards = 0;  // one per rank
  require_equal(train(config, 1, 3), one, "train.shards = 0");

  // With another number of shards the sums have another order, so the test above can fail.
  config.train.shards = kShards;
  BOOST_TEST((train(config, 1, 3).state != one.state));
}

BOOST_AUTO_TEST_CASE(by_default_each_rank_is_a_shard) {
  trainer::Config config = config_of("f32");
  config.train.shards = 0;
  const Trace two = train(config, 2, 3);
  config.train.shards = 2;
  require_equal(two, train(config, 1, 3), "2 shards");
}

BOOST_AUTO_TEST_CASE(moments_are_divided) {
  comm::run_ranks(4, [](comm::Communicator& world) {
    Waves source;
    const auto config = config_of("f32");
    const auto model = trainer::make_model(config, {3, 4, 8, 8, 4});
    std::int64_t own = 0;
    const trainer::FlatLayout layout(model->parameters(), world.size());
    for (const auto& [name, piece] : trainer::own_part(layout, model->parameters(), world.rank()))
      own += piece.count();
    if (own != layout.count(world.rank()) || own > layout.count() / 2)
      throw InvalidArgument(str("a rank has ", own, " of ", layout.count(), " values"));
  });
}

/// Two ranks tell each other their slices of the weights, and of the average that the loss needs.
BOOST_AUTO_TEST_CASE(matrices_of_bf16_blocks_travel_as_bf16) {
  std::map<std::string, std::size_t> bytes;  // by precision
  std::size_t narrow = 0;
  Faults faults;
  for (const std::string precision : {"f32", "bf16"}) {
    comm::run_ranks(2, [&](comm::Communicator& world) {
      TinyTraining training(config_of(precision.c_str()), &world);
      const std::size_t before = world.bytes();
      for (std::int64_t n = 0; n < kSteps; ++n) static_cast<void>(training.run.step());
      if (world.is_first()) bytes[precision] = world.bytes() - before;
      const nn::NamedTensors shared = training.run.shared_weights();
      trainer::require_same_bits(shared, &world, kSteps);
      for (std::size_t i = 0; i < shared.size(); ++i) {
        const auto& [name, tensor] = shared[i];
        const bool is_narrow = tensor.dtype() == DType::kBF16;
        if (world.is_first() && is_narrow) narrow += static_cast<std::size_t>(tensor.count());
        const bool in_block = name.starts_with("encoder.") || name.starts_with("middle.") ||
                              name.starts_with("decoder.");
        faults.check(!is_narrow || (precision == "bf16" && in_block && tensor.rank() == 2),
                     str(precision, ": ", name, " is ", tensor));
      }
    });
  }
  BOOST_TEST(narrow > 0u);
  BOOST_TEST(bytes["f32"] - bytes["bf16"] == kSteps * 2 * 2 * narrow);
}

BOOST_AUTO_TEST_CASE(shards_that_do_not_fit_are_refused) {
  trainer::Config config = config_of("f32");
  config.train.shards = 3;  // of 16 clips
  BOOST_CHECK_THROW(train(config, 1, 1), InvalidArgument);
  config.train.shards = 2;
  BOOST_CHECK_THROW(train(config, 4, 1), InvalidArgument);
  config.train.accumulation = 3;
  BOOST_CHECK_THROW(train(config, 2, 1), InvalidArgument);
}
