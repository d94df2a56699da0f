// Buckets: parsing, the share of every batch, and that a trainer reads each bucket in an order of
// its own.
#define BOOST_TEST_MODULE buckets
#include "eflow/trainer/data/buckets.hpp"

#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/batch_mix.hpp"
#include "eflow/trainer/data/source_schedule.hpp"
#include "eflow/trainer/step/trainer.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Every element of frame t of clip i [1, frames, 1, 2] is 10 i + t.
class Counting final : public io::ClipSource {
 public:
  explicit Counting(std::int64_t frames) : frames_(frames) {}
  [[nodiscard]] std::int64_t size() const override { return 7; }
  [[nodiscard]] Shape clip_shape() const override { return {1, frames_, 1, 2}; }
  [[nodiscard]] std::int64_t class_count() const override { return 0; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    for (std::size_t i = 0; i < clip.size(); ++i)
      clip[i] = static_cast<float>(10 * index + static_cast<std::int64_t>(i) / 2);
    return 0;
  }

 private:
  std::int64_t frames_;
};

/// Records the shapes and clips of every step; the loss is a dummy.
struct Noting {
  explicit Noting(std::int64_t accumulation)
      : trainer(
            &model, &average,
            [this](const soflow::Batch& part, std::int64_t, std::int64_t) {
              const auto values =
                  narrow(reshape(part.x0, {part.x0.size(0), -1}), 1, 0, 1).to_vector<double>();
              for (std::size_t i = 0; i < values.size(); ++i)
                seen[part.indices[i]] = {part.x0.size(2), values[i]};
              return soflow::StepLoss{sum(model(Tensor::zeros({1, 1}))), {}};
            },
            &clips,
            {.batch = 8, .accumulation = accumulation, .seed = 3, .others = {{&images, 0.25}}}) {}

  Counting clips{4};
  FramesOfSource images{&clips, 1};
  nn::Scope scope{RandomKey{.seed = 5}};
  nn::Linear model{scope, 1, 1}, average{scope, 1, 1};
  /// Length and first value of each sample, by its index in the run.
  std::map<std::int64_t, std::pair<std::int64_t, double>> seen;
  Trainer trainer;
};

}  // namespace

BOOST_AUTO_TEST_CASE(shares_are_exact_and_spread_evenly) {
  const SourceSchedule turns({0.1, 0.25});
  std::vector<std::int64_t> had(3, 0);
  for (std::int64_t step = 0; step < 250; ++step) {
    for (std::size_t who = 0; who < 3; ++who) BOOST_TEST(turns.before(who, step) == had[who]);
    ++had[turns.at(step)];
    BOOST_TEST(std::abs(static_cast<double>(had[1]) - 0.1 * static_cast<double>(step + 1)) < 1);
  }
  BOOST_TEST(had == (std::vector<std::int64_t>{163, 25, 62}), boost::test_tools::per_element());
  BOOST_CHECK_THROW(SourceSchedule({0.005}), InvalidArgument);
  BOOST_CHECK_THROW(SourceSchedule({0.6, 0.4}), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(buckets_are_read) {
  const auto specs = parse_buckets("@1:0.1, my set@3:0.2 ,/a/b:0.05,@first:0.01");
  BOOST_REQUIRE(specs.size() == 4u);
  BOOST_TEST((specs[3].first && specs[3].frames == 1 && !specs[0].first));
  BOOST_TEST((specs[0].dir.empty() && specs[0].frames == 1 && specs[0].share == 0.1));
  BOOST_TEST((specs[1].dir == "my set" && specs[1].frames == 3 && specs[1].share == 0.2));
  BOOST_TEST((specs[2].dir == "/a/b" && specs[2].frames == 0 && specs[2].share == 0.05));
  BOOST_TEST(parse_buckets("").empty());
  for (const char* wrong : {"images", ":0.1", "a@0:0.1", "a:x", "a@:0.1", "a:0.1,,b:0.1", "a:1"})
    BOOST_CHECK_THROW(static_cast<void>(parse_buckets(wrong)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(frames_are_cut_from_all_over_the_clip) {
  const Counting clips(4);
  const FramesOfSource pairs(&clips, 2);
  BOOST_TEST(pairs.clip_shape() == (Shape{1, 2, 1, 2}));
  std::vector<float> clip(4);
  for (std::int64_t i = 0; i < 7; ++i) {
    pairs.read(i, clip);
    BOOST_TEST(clip[0] == static_cast<float>(10 * i + i % 3));
    BOOST_TEST(clip[2] == clip[0] + 1);
  }
  const FramesOfSource images(&clips, 1, true);
  for (std::int64_t i = 0; i < 7; ++i) {
    images.read(i, std::span(clip).first(2));
    BOOST_TEST(clip[0] == static_cast<float>(10 * i));
  }
  BOOST_CHECK_THROW(FramesOfSource(&clips, 5), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(a_batch_is_divided_exactly) {
  const std::vector<double> shares = {0.1, 0.25};
  for (const std::int64_t batch : {1, 8, 20, 100}) {
    const BatchMix mix(shares, batch, 3);
    std::vector<std::set<std::int64_t>> positions(3);
    for (std::int64_t step = 0; step < 50; ++step) {
      std::set<std::int64_t> places;
      for (std::size_t source = 0; source < 3; ++source) {
        const BatchMix::Part whole = mix.part(source, step, 0, batch);
        BOOST_TEST(static_cast<std::int64_t>(whole.places.size()) == mix.count(source, step));
        if (source > 0) {
          const double exact = shares[source - 1] * static_cast<double>(batch);
          BOOST_TEST(std::abs(static_cast<double>(whole.places.size()) - exact) < 1);
        }
        places.insert(whole.places.begin(), whole.places.end());
        positions[source].insert(whole.positions.begin(), whole.positions.end());
        // Two halves make the whole.
        BatchMix::Part first = mix.part(source, step, 0, batch / 2);
        const BatchMix::Part second = mix.part(source, step, batch / 2, batch - batch / 2);
        first.places.insert(first.places.end(), second.places.begin(), second.places.end());
        first.positions.insert(first.positions.end(), second.positions.begin(),
                               second.positions.end());
        BOOST_TEST(first.places == whole.places, boost::test_tools::per_element());
        BOOST_TEST(first.positions == whole.positions, boost::test_tools::per_element());
      }
      BOOST_TEST(static_cast<std::int64_t>(places.size()) == batch);
    }
    // Every source is read in order, without gap or repetition.
    for (const auto& read : positions) {
      if (read.empty()) continue;
      BOOST_TEST(*read.begin() == 0);
      BOOST_TEST(*read.rbegin() + 1 == static_cast<std::int64_t>(read.size()));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_places_of_images_do_not_follow_the_loss_groups) {
  const BatchMix mix(std::vector<double>{0.1}, 40, 5);
  std::vector<std::int64_t> groups(4);
  for (std::int64_t step = 0; step < 500; ++step)
    for (const std::int64_t place : mix.part(1, step, 0, 40).places) ++groups[place % 4];
  for (const std::int64_t count : groups) BOOST_TEST(std::abs(count - 500) < 100);
}

BOOST_AUTO_TEST_CASE(a_quarter_of_every_batch_is_images_whatever_the_parts) {
  Noting whole(1), parts(4);
  for (int i = 0; i < 8; ++i) {
    (void)whole.trainer.step();
    (void)parts.trainer.step();
    std::int64_t images = 0;
    for (std::int64_t k = 8 * i; k < 8 * i + 8; ++k) images += whole.seen.at(k).first == 1;
    BOOST_TEST(images == 2);
    const auto clips = whole.trainer.last_clips();
    BOOST_REQUIRE(clips.size() == 2u);
    BOOST_TEST((clips[0].first[1] == 4 && clips[0].second == 6));
    BOOST_TEST((clips[1].first[1] == 1 && clips[1].second == 2));
  }
  BOOST_TEST(whole.seen.size() == 64u);
  BOOST_TEST((whole.seen == parts.seen));
}

BOOST_AUTO_TEST_CASE(a_resumed_run_goes_on_in_every_bucket) {
  Noting whole(1), first(1), second(1);
  for (int i = 0; i < 9; ++i) (void)whole.trainer.step();
  for (int i = 0; i < 5; ++i) (void)first.trainer.step();
  second.trainer.load_state(first.trainer.state(), 5);
  for (int i = 0; i < 4; ++i) (void)second.trainer.step();
  first.seen.insert(second.seen.begin(), second.seen.end());
  BOOST_TEST((whole.seen == first.seen));
}

BOOST_AUTO_TEST_CASE(sources_that_do_not_fit_are_refused) {
  const Counting clips(4);
  BOOST_CHECK_THROW(static_cast<void>(open_buckets(parse_buckets("no such folder:0.1"), clips)),
                    DataError);
  BOOST_CHECK_THROW(static_cast<void>(open_buckets(parse_buckets("@5:0.1"), clips)),
                    InvalidArgument);
  const auto buckets = open_buckets(parse_buckets("@1:0.1"), clips);
  BOOST_TEST(buckets[0].source->clip_shape() == (Shape{1, 1, 1, 2}));
}
