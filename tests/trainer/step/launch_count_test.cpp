// Number of kernels and library products that a training step launches on a GPU: each costs the host
// and the device some microseconds, which is what a step of a small model is made of. The driver
// executes nothing; which kernels a step launches does not depend on their results.
#define BOOST_TEST_MODULE launch_count
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/trace.hpp"
#include "eflow/io/dataset/synth.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/data_info.hpp"
#include "eflow/trainer/setup/objective_config.hpp"
#include "eflow/trainer/step/trainer.hpp"

using namespace eflow;

namespace {

DevicePtr device_that_executes_nothing() {
  jit::Options options;
  options.device = "cuda";
  options.cuda_library = EFLOW_DO_NOTHING_CUDA;
  options.cublas_library = EFLOW_DO_NOTHING_CUBLASLT;
  options.nvrtc = EFLOW_FAKE_NVRTC;
  return make_device(options);
}

/// Kernels of the second step of a configuration, by name: the first one also makes bf16 copies of
/// the weights, which later steps keep up to date.
std::map<std::string, std::int64_t> launches_of(const std::string& file, const char* precision) {
  std::ifstream in(std::string(EFLOW_CONFIGS "/") + file);
  std::stringstream text;
  text << in.rdbuf();
  trainer::Config config = trainer::parse_config(text.str(), file);
  config.train.precision = *dtype_from_name(precision);
  const io::SynthShapes source;
  const trainer::ClipFormat clips = trainer::describe(source).clips;
  const auto model = trainer::make_model(config, clips),
             average = trainer::make_model(config, clips);
  const soflow::EFlowObjective objective(trainer::objective_options(config, model->config()));
  trainer::Trainer run(
      model.get(), average.get(),
      [&](const soflow::Batch& part, std::int64_t step, std::int64_t total) {
        return objective({std::cref(*model), std::cref(*average)}, part, step, total);
      },
      &source, trainer::trainer_options(config));
  static_cast<void>(run.step());
  const auto trace = std::make_shared<Trace>();
  default_device()->set_trace(trace);
  static_cast<void>(run.step());
  default_device()->set_trace(nullptr);
  return trace->kernel_counts();
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_step_of_sprites_in_bf16) {
  const test::DefaultDevice device(device_that_executes_nothing());
  std::int64_t all = 0;
  for (const auto& [name, count] : launches_of("sprites.ini", "bf16")) {
    BOOST_TEST_MESSAGE(count << "  " << name);
    all += count;
  }
  BOOST_TEST_MESSAGE(all << " launches");
  BOOST_TEST(all <= 540);
}
