// Image to video, continuation of clips, and streams of any length, through the program.
#define BOOST_TEST_MODULE continue
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <span>
#include <vector>

#include "eflow/core/base/shape.hpp"
#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/trainer/program/expectations.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

struct Clips {
  Shape shape;
  std::vector<float> values;
  explicit Clips(const std::filesystem::path& path) {
    const io::NpyFile file(path);
    shape = file.shape();
    values.resize(static_cast<std::size_t>(element_count(shape)));
    file.read_rows(0, file.rows(), std::as_writable_bytes(std::span(values)));
  }
  [[nodiscard]] float at(std::int64_t n, std::int64_t c, std::int64_t t, std::int64_t i) const {
    const std::int64_t area = shape[3] * shape[4];
    return values[static_cast<std::size_t>(((n * shape[1] + c) * shape[2] + t) * area + i)];
  }
  /// Largest difference between frame t of every clip and expected(n, c, i).
  template <class Expected>
  [[nodiscard]] double difference(std::int64_t t, const Expected& expected) const {
    double most = 0;
    for (std::int64_t n = 0; n < shape[0]; ++n)
      for (std::int64_t c = 0; c < shape[1]; ++c)
        for (std::int64_t i = 0; i < shape[3] * shape[4]; ++i)
          most = std::max(most, std::abs(static_cast<double>(at(n, c, t, i)) - expected(n, c, i)));
    return most;
  }
};

/// The value of pixel i of channel c of the image that the tests give: a u8 and its latent value.
std::uint8_t pixel(std::int64_t c, std::int64_t i) {
  return static_cast<std::uint8_t>((i * 7 + c * 50) % 256);
}
double value(std::int64_t c, std::int64_t i) {
  return pixel(c, i) / 127.5 - 1;
}

struct Runs : TemporaryFolder {
  Runs() {
    done("data synth --size 16 --frames 4 --out " + at("set"));
    std::vector<std::uint8_t> last(16 * 16 * 3);
    std::vector<float> first(3 * 16 * 16);
    for (std::int64_t i = 0; i < 256; ++i) {
      for (std::int64_t c = 0; c < 3; ++c) {
        last[static_cast<std::size_t>(i * 3 + c)] = pixel(c, i);
        first[static_cast<std::size_t>(c * 256 + i)] = static_cast<float>(value(c, i));
      }
    }
    io::write_npy(at("hwc.npy"), DType::kU8, {16, 16, 3}, std::as_bytes(std::span(last)));
    io::write_npy(at("chw.npy"), DType::kF32, {3, 16, 16}, std::as_bytes(std::span(first)));
    io::write_safetensors(at("chw.safetensors"),
                          {{"frame", "F32", {3, 1, 16, 16}, std::as_bytes(std::span(first))}});
  }
  [[nodiscard]] std::string at(const std::string& name) const { return (path() / name).string(); }
  void train(const std::string& run, const std::string& more) const {
    done("train --config " EFLOW_CONFIGS
         "/tiny.ini --sample.every=0 --eval.every=0 --train.iterations=2 --model.patch_t=1 "
         "--data " +
         at("set") + " --out " + at(run) + " " + more);
  }
  [[nodiscard]] std::string sample(const std::string& run) const {
    return "sample --steps 2 --count 2 --run " + at(run) + " --out " + at("out-" + run) + " ";
  }
  [[nodiscard]] Clips samples(const std::string& run) const {
    return Clips(path() / ("out-" + run) / "samples.npy");
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_run_continues_what_it_was_trained_to_continue) {
  const Runs runs;
  runs.train("never", "");
  refused(runs.sample("never") + "--first-frame " + runs.at("hwc.npy"),
          "never trained with given frames: objective.given_share = 0");
  runs.train("given", "--objective.given_share=0.5 --objective.given_frames=2");
  for (const char* image : {"hwc.npy", "chw.npy", "chw.safetensors"}) {
    done(runs.sample("given") + "--first-frame " + runs.at(image));
    const Clips clips = runs.samples("given");
    BOOST_TEST(clips.shape == Shape({2, 3, 4, 16, 16}));
    const auto image_value = [](std::int64_t, std::int64_t c, std::int64_t i) {
      return value(c, i);
    };
    BOOST_TEST(clips.difference(0, image_value) < 1e-5, image);
    BOOST_TEST(clips.difference(1, image_value) > 0.01, image);
  }
  // The last two frames of these clips become the first two of others.
  const Clips before = runs.samples("given");
  std::filesystem::rename(runs.path() / "out-given", runs.path() / "before");
  done(runs.sample("given") + "--seed 2 --continue-frames 2 --continue " +
       runs.at("before/samples.npy"));
  const Clips after = runs.samples("given");
  for (const std::int64_t t : {0, 1}) {
    BOOST_TEST(after.difference(t, [&](std::int64_t n, std::int64_t c, std::int64_t i) {
      return before.at(n, c, t + 2, i);
    }) < 1e-5);
  }
  const std::string sample = runs.sample("given");
  refused(sample + "--continue " + runs.at("before/samples.npy"),
          "expected fewer than the 4 frames of the clip");
  refused(sample + "--first-frame " + runs.at("before/samples.npy"), "expected one frame, found 4");
  refused(sample + "--continue-frames 1", "--continue_frames has no effect without --continue");
  refused(sample + "--count 3 --continue-frames 1 --continue " + runs.at("before/samples.npy"),
          "expected [1 or 3, 3, frames, 16, 16]");
  refused(sample + "--frames 6", "expected 4, as the model has a position table");
}

BOOST_AUTO_TEST_CASE(a_chunk_causal_run_streams_on) {
  const Runs runs;
  runs.train("causal",
             "--objective.kind=anyflow --model.chunk_frames=2 --model.position_table=false");
  done(runs.sample("causal") + "--frames 9");
  const Clips clips = runs.samples("causal");
  BOOST_TEST(clips.shape == Shape({2, 3, 9, 16, 16}));
  std::filesystem::rename(runs.path() / "out-causal", runs.path() / "before");
  // Chunks end after 1, 3, 5, ... frames.
  done(runs.sample("causal") + "--frames 7 --continue-frames 3 --continue " +
       runs.at("before/samples.npy"));
  const Clips after = runs.samples("causal");
  BOOST_TEST(after.shape == Shape({2, 3, 7, 16, 16}));
  for (const std::int64_t t : {0, 1, 2}) {
    BOOST_TEST(after.difference(t, [&](std::int64_t n, std::int64_t c, std::int64_t i) {
      return clips.at(n, c, t + 6, i);
    }) == 0);
  }
  done(runs.sample("causal") + "--first-frame " + runs.at("hwc.npy"));
  refused(runs.sample("causal") + "--frames 7 --continue-frames 2 --continue " +
              runs.at("before/samples.npy"),
          "as after 1 or 3 frames; found 2");
}
