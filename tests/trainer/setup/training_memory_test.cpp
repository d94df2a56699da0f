// The memory that a run needs, and what is said where there is less.
#define BOOST_TEST_MODULE training_memory
#include "eflow/trainer/setup/training_memory.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/trainer/config/model_config.hpp"

namespace eflow::trainer {
namespace {

BOOST_AUTO_TEST_CASE(a_state_larger_than_the_machine_is_refused) {
  Config config;
  config.train.batch = 8;
  const nn::DiTConfig model =
      dit_config(config, {.channels = 3, .frames = 8, .height = 32, .width = 32, .classes = 9});
  const TrainingMemory need = memory_of(config, model);
  BOOST_REQUIRE(need.activations > 0);
  const auto refused = [&](int ranks, double available) {
    try {
      require_memory(config, model, ranks, available);
      return std::string();
    } catch (const DeviceError& error) {
      return std::string(error.what());
    }
  };
  test::Warnings warnings;
  BOOST_TEST(refused(1, need.state - 1) != "");
  BOOST_TEST(refused(1, need.state - 1).find(describe_bytes(need.state)) != std::string::npos);
  BOOST_TEST(refused(4, need.state - 1) == "");  // each holds a quarter of the moments
  BOOST_TEST(refused(4, 0.69 * need.state) != "");
  BOOST_TEST(refused(1, 0) == "");  // unknown
  warnings.texts.clear();
  BOOST_TEST(refused(1, need.state + need.activations - 1) == "");
  BOOST_TEST(warnings.texts.size() == 1u);
  BOOST_TEST(refused(1, need.state + need.activations) == "");
  BOOST_TEST(warnings.texts.size() == 1u);
}

}  // namespace
}  // namespace eflow::trainer
