// Samples depend only on weights, seed, id and label; the held-out error only on weights.
#define BOOST_TEST_MODULE generator
#include "eflow/trainer/run/generator.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/dataset/synth.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/step/held_out.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

Config tiny_config() {
  Config config;
  config.model.dim = 32;
  config.model.heads = 2;
  config.model.middle = 1;
  return config;
}

/// A model with random weights. A new model has a zero head, so its output would be zero.
std::unique_ptr<nn::VideoDiT> tiny_model(const Config& config = tiny_config()) {
  auto model = make_model(config, {3, 4, 16, 16, 9});
  std::uint32_t purpose = 100;
  for (auto& [name, tensor] : model->parameters()) {
    const RandomKey key{.seed = static_cast<std::uint64_t>(config.train.seed),
                        .purpose = ++purpose};
    Shape row = tensor.shape();
    row.insert(0, 1);
    Tensor(tensor).assign(reshape(random_normal(row, key, {0}) * 0.1, tensor.shape()));
  }
  return model;
}

std::vector<float> values_of(const nn::VideoDiT& model, const SampleRequest& request) {
  return sample_clips(model, request)->values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(parts_do_not_change_samples) {
  const auto model = tiny_model();
  SampleRequest request{.labels = {0, 1, 2, -1, 4}, .steps = 2};
  const auto whole = values_of(*model, request);
  request.part = 2;
  BOOST_TEST(values_of(*model, request) == whole, boost::test_tools::per_element());
  request.seed = 2;
  BOOST_TEST((values_of(*model, request) != whole));
  request = {.labels = {4}, .steps = 2, .first_id = 4};
  const std::vector<float> last(whole.end() - 3 * 4 * 16 * 16, whole.end());
  BOOST_TEST(values_of(*model, request) == last, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(progress_counts_evaluations_and_cancels) {
  const auto model = tiny_model();
  SampleRequest request{.labels = cycle_labels(5, 9), .steps = 3};
  request.part = 2;
  std::vector<std::int64_t> seen;
  request.progress = [&](std::int64_t done, std::int64_t total) {
    BOOST_TEST(total == 9);
    seen.push_back(done);
    return true;
  };
  BOOST_TEST(sample_clips(*model, request).has_value());
  BOOST_TEST(seen == (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}),
             boost::test_tools::per_element());
  request.progress = [](std::int64_t done, std::int64_t) { return done < 4; };
  BOOST_TEST(!sample_clips(*model, request).has_value());
}

BOOST_AUTO_TEST_CASE(wrong_requests) {
  const auto model = tiny_model();
  BOOST_CHECK_THROW((void)sample_clips(*model, {.labels = {9}}), InvalidArgument);
  BOOST_CHECK_THROW((void)sample_clips(*model, {.labels = {}}), InvalidArgument);
  BOOST_CHECK_THROW((void)sample_clips(*model, {.labels = {1}, .steps = 0}), InvalidArgument);
  Config config = tiny_config();
  config.model.patch.w = 5;
  BOOST_CHECK_THROW((void)tiny_model(config), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(the_held_out_error_is_a_function_of_the_weights) {
  const auto model = tiny_model();
  const io::SynthShapes clips({.frames = 4, .size = 16});
  const HeldOutError error(clips, 40, {});
  const double first = error.measure(std::cref(*model));
  BOOST_TEST(first > 0);
  BOOST_TEST(error.measure(std::cref(*model)) == first);
  BOOST_TEST(HeldOutError(clips, 40, {}).measure(std::cref(*model)) == first);
  Config other = tiny_config();
  other.train.seed = 2;
  BOOST_TEST(error.measure(std::cref(*tiny_model(other))) != first);
}

/// Guidance at sampling time needs what it steers from: trained, and evaluated as it was trained.
BOOST_AUTO_TEST_CASE(steering_needs_what_was_trained) {
  using enum soflow::Unconditional;
  using enum soflow::Sampler;
  CheckpointInfo info;
  info.data.clips = {3, 4, 16, 16, 9};
  const auto complaint = [&](soflow::Unconditional from, soflow::Sampler sampler) {
    try {
      check_steering(info, from, sampler);
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  BOOST_TEST(complaint(kNullCondition, kRenoise) == "");
  BOOST_TEST(has(complaint(kWeakPath, kEuler), "never trained its weak path"));
  info.config.guidance.label_drop = 0;
  BOOST_TEST(has(complaint(kNullCondition, kRenoise), "train with objective.label_drop above 0"));
  info.config.guidance.kind = kWeakPath;
  BOOST_TEST(complaint(kWeakPath, kEuler) == "");
  BOOST_TEST(has(complaint(kWeakPath, kRenoise), "use the sampler euler"));
  info.config.objective.fm_share = info.config.mva.share = 0.25;  // no flow matching left
  BOOST_TEST(has(complaint(kWeakPath, kEuler), "never trained its weak path"));
  info.config.mva.from = 0.5;  // but there was
  BOOST_TEST(complaint(kWeakPath, kEuler) == "");
  info.config.guidance.path_drop = 0;
  BOOST_TEST(has(complaint(kWeakPath, kEuler), "train with guidance.path_drop above 0"));
  info.config = {};
  info.data.clips.classes = 0;
  BOOST_TEST(has(complaint(kNullCondition, kRenoise), "neither labels nor text"));
}

BOOST_AUTO_TEST_CASE(presets_fill_values_not_given) {
  Config config;
  config.model.preset = "B";
  config.model.heads = 6;
  apply_preset(&config, [](const std::string& key) { return key == "model.heads"; });
  BOOST_TEST(config.model.dim == 768);
  BOOST_TEST(config.model.heads == 6);
  BOOST_TEST(config.model.softmax_every == 6);
  BOOST_TEST(config.train.batch == Config().train.batch);
}

BOOST_AUTO_TEST_CASE(labels_by_name_and_number) {
  DataInfo info = describe(io::SynthShapes({.frames = 4, .size = 16}));
  const DataInfo back = data_info_from_json(to_json(info), "here");
  BOOST_TEST(back.class_names == info.class_names, boost::test_tools::per_element());
  BOOST_TEST((back.clips.shape() == info.clips.shape()));
  BOOST_TEST(label_of(back, "star sway") == 8);
  BOOST_TEST(label_of(back, "3") == 3);
  for (const char* wrong : {"9", "-1", "", "star", "1x"}) {
    BOOST_CHECK_THROW((void)label_of(back, wrong), InvalidArgument);
  }
}
