// Buckets: parsing, the assignment of steps, and that a trainer reads each bucket in an order of
// its own.
#define BOOST_TEST_MODULE buckets
#include "eflow/trainer/data/buckets.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/layers/linear.hpp"
#include "eflow/trainer/config/exit_code.hpp"
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
              frames.push_back(part.x0.size(2));
              for (const double value :
                   narrow(reshape(part.x0, {part.x0.size(0), -1}), 1, 0, 1).to_vector<double>())
                first.push_back(value);
              indices.insert(indices.end(), part.indices.begin(), part.indices.end());
              return soflow::StepLoss{sum(model(Tensor::zeros({1, 1}))), {}};
            },
            &clips,
            {.batch = 2, .accumulation = accumulation, .seed = 3, .others = {{&images, 0.25}}}) {}

  Counting clips{4};
  FramesOfSource images{&clips, 1};
  nn::Scope scope{RandomKey{.seed = 5}};
  nn::Linear model{scope, 1, 1}, average{scope, 1, 1};
  std::vector<std::int64_t> frames, indices;
  std::vector<double> first;
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
  const auto specs = parse_buckets("@1:0.1, my set@3:0.2 ,/a/b:0.05");
  BOOST_REQUIRE(specs.size() == 3u);
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
  BOOST_CHECK_THROW(FramesOfSource(&clips, 5), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(a_quarter_of_the_steps_is_images_whatever_the_parts) {
  Noting whole(1), parts(2);
  for (int i = 0; i < 8; ++i) {
    BOOST_TEST(whole.trainer.step().ids_hash == parts.trainer.step().ids_hash);
    BOOST_TEST(whole.trainer.clip_shape()[1] == whole.frames.back());
  }
  BOOST_TEST(std::count(whole.frames.begin(), whole.frames.end(), 1) == 2);
  BOOST_TEST(whole.first == parts.first, boost::test_tools::per_element());
  for (std::size_t i = 0; i < whole.indices.size(); ++i)
    BOOST_TEST(whole.indices[i] == static_cast<std::int64_t>(i));
}

BOOST_AUTO_TEST_CASE(a_resumed_run_goes_on_in_every_bucket) {
  Noting whole(1), first(1), second(1);
  for (int i = 0; i < 9; ++i) (void)whole.trainer.step();
  for (int i = 0; i < 5; ++i) (void)first.trainer.step();
  second.trainer.load_state(first.trainer.state(), 5);
  for (int i = 0; i < 4; ++i) (void)second.trainer.step();
  first.first.insert(first.first.end(), second.first.begin(), second.first.end());
  BOOST_TEST(whole.first == first.first, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(sources_that_do_not_fit_are_refused) {
  const Counting clips(4);
  BOOST_CHECK_THROW(static_cast<void>(open_buckets({{"no such folder", 0, 0.1}}, clips)),
                    DataError);
  BOOST_CHECK_THROW(static_cast<void>(open_buckets({{"", 5, 0.1}}, clips)), InvalidArgument);
  const auto buckets = open_buckets({{"", 1, 0.1}}, clips);
  BOOST_TEST(buckets[0].source->clip_shape() == (Shape{1, 1, 1, 2}));
}
