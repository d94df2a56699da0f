// The loader: content depends only on the step, errors surface at their step, and shutdown never
// hangs.
#define BOOST_TEST_MODULE loader
#include "eflow/io/dataset/loader.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using eflow::io::Batch;
using eflow::io::Loader;
using eflow::io::SampleOrder;

namespace {

/// Fills clip i with the value i. The read time varies between clips, so that threads overtake each
/// other.
class Numbers : public io::ClipSource {
 public:
  explicit Numbers(std::int64_t count) : count_(count) {}
  std::int64_t size() const override { return count_; }
  Shape clip_shape() const override { return {1, 2, 2, 3}; }
  std::int64_t class_count() const override { return 5; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    ++reads;
    if (index == broken) throw CorruptData("[numbers] clip " + std::to_string(index));
    std::this_thread::sleep_for(std::chrono::microseconds(index * 37 % 200 + slow));
    std::fill(clip.begin(), clip.end(), static_cast<float>(index));
    return static_cast<std::int32_t>(index % 5);
  }
  std::int64_t broken = -1;
  int slow = 0;
  mutable std::atomic<int> reads = 0;

 private:
  std::int64_t count_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_batch_is_taken_only_if_it_is_ready) {
  Numbers source(23);
  source.broken = 1;
  Loader loader(source, SampleOrder(23, 9), {.batch_size = 5});
  Loader other(source, SampleOrder(23, 9), {.batch_size = 5});
  Batch batch;
  bool failed = false;
  for (std::int64_t step = 0; !failed; ++step) {
    BOOST_REQUIRE(step < 5);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    bool taken = false;
    try {
      const Batch expected = other.next();
      while (!taken && std::chrono::steady_clock::now() < end) taken = loader.try_next(batch);
      BOOST_TEST(taken);
      BOOST_TEST(batch.step == step);
      BOOST_TEST((batch.clips == expected.clips));
    } catch (const CorruptData&) {
      failed = true;  // of `other`: the failure of a reader is left to next()
    }
  }
  BOOST_TEST(!loader.try_next(batch));
  BOOST_CHECK_THROW(loader.next(batch), CorruptData);
  Numbers sleepy(23);  // the others still read `source`
  sleepy.slow = 100'000;
  Loader slow(sleepy, SampleOrder(23, 9), {.batch_size = 5});
  BOOST_TEST(!slow.try_next(batch));
  BOOST_TEST(slow.next_step() == 0);
}

BOOST_AUTO_TEST_CASE(content_is_independent_of_threads_and_depth) {
  const Numbers source(23);
  const SampleOrder order(23, 9);
  for (const auto& [threads, depth] : {std::pair{1, 1}, {1, 3}, {3, 1}, {2, 2}, {4, 8}}) {
    for (const std::int64_t first : {0, 6}) {
      Loader loader(source, order,
                    {.batch_size = 5, .first_step = first, .threads = threads, .depth = depth});
      Batch batch;
      for (std::int64_t step = first; step < first + 12; ++step) {
        BOOST_TEST(loader.next_step() == step);
        loader.next(batch);
        BOOST_TEST(batch.step == step);
        BOOST_TEST(batch.shape == (Shape{5, 1, 2, 2, 3}));
        BOOST_REQUIRE(batch.clips.size() == 60u);
        for (std::size_t i = 0; i < 5; ++i) {
          const std::int64_t id = order.index_at(step * 5 + static_cast<std::int64_t>(i));
          BOOST_TEST(batch.ids[i] == id);
          BOOST_TEST(batch.labels[i] == id % 5);
          BOOST_TEST(batch.clips[i * 12] == static_cast<float>(id));
          BOOST_TEST(batch.clips[i * 12 + 11] == static_cast<float>(id));
        }
      }
      BOOST_TEST(loader.total_wait_seconds() >= loader.last_wait_seconds());
    }
  }
}

/// Steps of six batches, divided over three ranks in parts of 1, 2 and 3.
BOOST_AUTO_TEST_CASE(ranks_take_their_parts_of_each_step) {
  const Numbers source(23);
  const SampleOrder order(23, 9);
  for (const auto& [skip, take] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {1, 2}, {3, 3}}) {
    for (const std::int64_t first_step : {0, 4}) {
      Loader loader(source, order,
                    {.batch_size = 2,
                     .first_step = first_step * take,
                     .every = 6,
                     .skip = skip,
                     .take = take});
      for (std::int64_t step = first_step; step < first_step + 5; ++step) {
        for (std::int64_t part = 0; part < take; ++part) {
          const Batch batch = loader.next();
          const std::int64_t position = (step * 6 + skip + part) * 2;
          BOOST_TEST(batch.ids[0] == order.index_at(position));
          BOOST_TEST(batch.ids[1] == order.index_at(position + 1));
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(threads_read_one_data_set) {
  const test::TempDir dir;
  test::make_dataset(dir / "set", DType::kBF16, 23);
  const io::Dataset set(dir / "set");
  Loader loader(set, SampleOrder(23, 4), {.batch_size = 6, .threads = 4, .depth = 6});
  std::vector<float> clip(120);
  for (int step = 0; step < 10; ++step) {
    const Batch batch = loader.next();
    for (std::size_t i = 0; i < 6; ++i) {
      BOOST_TEST(batch.labels[i] == set.read(batch.ids[i], clip));
      BOOST_TEST(std::equal(clip.begin(), clip.end(),
                            batch.clips.begin() + static_cast<std::ptrdiff_t>(120 * i)));
    }
  }
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_by_depth) {
  const Numbers source(100);
  Loader loader(source, SampleOrder(100, 1), {.batch_size = 2, .threads = 2, .depth = 3});
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  BOOST_TEST(source.reads <= 6);
  static_cast<void>(loader.next());
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  BOOST_TEST(source.reads <= 8);
}

BOOST_AUTO_TEST_CASE(an_error_is_thrown_at_its_step) {
  Numbers source(30);
  source.broken = 17;
  Loader loader(source, SampleOrder(30, 0, io::Shuffle::kNo),
                {.batch_size = 3, .threads = 3, .depth = 8});
  for (std::int64_t step = 0; step < 5; ++step) BOOST_TEST(loader.next().step == step);
  BOOST_CHECK_THROW(static_cast<void>(loader.next()), CorruptData);
  BOOST_CHECK_THROW(static_cast<void>(loader.next()), CorruptData);
  BOOST_TEST(loader.next_step() == 5);
}

BOOST_AUTO_TEST_CASE(shutdown_at_any_time) {
  Numbers source(50);
  source.slow = 300;
  for (int i = 0; i < 40; ++i) {
    Loader loader(source, SampleOrder(50, 2),
                  {.batch_size = 2, .threads = 1 + i % 4, .depth = 1 + i % 5});
    for (int k = 0; k < i % 3; ++k) BOOST_TEST(loader.next().step == k);
  }
}

BOOST_AUTO_TEST_CASE(waiting_is_reported) {
  Numbers source(50);
  source.slow = 20000;
  Loader loader(source, SampleOrder(50, 2), {.batch_size = 1});
  static_cast<void>(loader.next());
  BOOST_TEST(loader.last_wait_seconds() > 0.01);
  BOOST_TEST(loader.total_wait_seconds() == loader.last_wait_seconds());
}

BOOST_AUTO_TEST_CASE(wrong_parts) {
  const Numbers source(23);
  for (const auto& [every, skip, take] :
       {std::tuple{1, 1, 1}, std::tuple{4, 2, 3}, std::tuple{4, -1, 2}, std::tuple{4, 0, 0}}) {
    const io::LoaderOptions options{.every = every, .skip = skip, .take = take};
    BOOST_CHECK_THROW(Loader(source, SampleOrder(23, 1), options), InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(wrong_options) {
  const Numbers source(10);
  const SampleOrder order(10, 0);
  BOOST_CHECK_THROW(Loader(source, order, {.batch_size = 0}), InvalidArgument);
  BOOST_CHECK_THROW(Loader(source, order, {.threads = 0}), InvalidArgument);
  BOOST_CHECK_THROW(Loader(source, order, {.depth = 0}), InvalidArgument);
  BOOST_CHECK_THROW(Loader(source, order, {.first_step = -1}), InvalidArgument);
  BOOST_CHECK_THROW(Loader(source, SampleOrder(11, 0), {}), InvalidArgument);
}
