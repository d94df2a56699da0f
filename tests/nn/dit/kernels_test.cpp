// The default specialisations cover the presets, fit every GPU, and compile.
#define BOOST_TEST_MODULE dit_kernels
#include "eflow/nn/dit/kernels.hpp"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <set>

#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/core/tuning/tunable_kernels.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/tuner.hpp"
#include "eflow/nn/attention/glga.hpp"
#include "eflow/tests/support/jit/jit_options.hpp"

using namespace eflow;
using namespace eflow::nn;
using jit::Backend;

namespace {

std::set<std::string> names_of(const std::vector<jit::KernelRef>& kernels) {
  std::set<std::string> out;
  for (const jit::KernelRef& k : kernels) out.insert(to_string(k.spec, k.name));
  return out;
}

bool is_on(const std::set<std::string>& list, const std::vector<jit::KernelRef>& kernels) {
  for (const std::string& name : names_of(kernels)) {
    if (!list.contains(name)) return false;
  }
  return !kernels.empty();
}

}  // namespace

BOOST_DATA_TEST_CASE(every_preset_is_on_the_list, boost::unit_test::data::make(preset_names()),
                     name) {
  const DiTConfig config = preset(name);
  const std::set<std::string> gpu = names_of(default_kernels(Backend::kCuda));
  for (const int kept : {0, 25}) {
    const auto kernels = kernels_of(
        config, {.backend = Backend::kCuda, .dtype = DType::kBF16, .kept_percent = kept});
    // Five kernels; token dropping repeats the three that depend on the window. Full softmax has no
    // state kernel.
    const bool softmax = config.softmax_every > 0;
    BOOST_TEST(kernels.size() == 5U + (kept > 0 ? 3U : 0U) + (softmax ? 4U : 0U));
    BOOST_TEST(is_on(gpu, kernels));
  }
}

BOOST_AUTO_TEST_CASE(cpu_presets_are_on_the_cpu_list) {
  const std::set<std::string> cpu = names_of(default_kernels(Backend::kHost));
  for (const char* name : {"tiny", "quickstart", "sprites"}) {
    for (const int kept : {0, 25})
      BOOST_TEST(is_on(cpu, kernels_of(preset(name), {.kept_percent = kept})));
  }
}

BOOST_AUTO_TEST_CASE(the_kernels_of_a_model_can_be_tuned_at_its_sizes) {
  const DiTConfig config = preset("tiny");
  const KernelNeeds needs{.kept_percent = 25};
  const std::int64_t tokens = config.grid().count();
  const std::vector<jit::TuningJob> jobs = tuning_jobs(config, needs);
  std::set<std::string> tuned;
  std::set<std::int64_t> sizes;
  for (const jit::TuningJob& job : jobs) {
    tuned.insert(to_string(job.kernel.spec, job.kernel.name));
    sizes.insert(job.sizes.at(0));
    BOOST_TEST(job.sizes.at(1) == config.heads);
    BOOST_TEST(job.sizes.at(2) == config.window_radius());
  }
  BOOST_TEST((sizes == std::set<std::int64_t>{tokens / 4, tokens}));
  for (const jit::KernelRef& kernel : kernels_of(config, needs)) {
    const std::string name = to_string(kernel.spec, kernel.name);
    BOOST_TEST(tuned.contains(name) == (kernel.name != "glga_join_grad"), name);
  }
}

/// prepare() compiles the tiles that were tuned for the module's number of tokens.
BOOST_AUTO_TEST_CASE(preparing_uses_tuned_tiles) {
  const test::TempDir dir;
  const jit::Options options = test::quick_options(dir);
  const DiTConfig config = preset("tiny");
  const jit::TuningJob job = tuning_jobs(config, {})[0];
  BOOST_REQUIRE(job.kernel.name == "glga_forward");
  {
    jit::Runtime runtime(options);
    define_kernels(runtime.builder().definitions());
    const auto kernels = tunable_kernels();
    const auto kernel = std::find_if(kernels.begin(), kernels.end(), [](const auto& k) {
      return k.definition.name == "glga_forward";
    });
    jit::TuneOptions made_up;  // larger tiles measure as faster
    made_up.clock = [](const jit::Workload&, const jit::KernelSpec& spec, int count) {
      return count / static_cast<double>(spec.constants[eflow::detail::GlgaConstant::kRows] +
                                         spec.constants[eflow::detail::GlgaConstant::kKeys]);
    };
    static_cast<void>(
        tune(runtime, job.kernel, kernel->workload(runtime, job.kernel.spec, job.sizes), made_up));
  }
  const DevicePtr device = make_cpu_device(options);
  const Glga glga(Scope({.seed = 1}, DType::kF32, device), config.dim, config.heads,
                  config.attention_options(0));
  jit::KernelSpec largest = job.kernel.spec;
  largest.constants[eflow::detail::GlgaConstant::kRows] =
      largest.constants[eflow::detail::GlgaConstant::kKeys] = 128;
  BOOST_TEST(!device->runtime().has(largest));
  glga.prepare(100, false, -1);
  BOOST_TEST(device->runtime().has(largest));
}

BOOST_AUTO_TEST_CASE(other_attention_needs_fewer_kernels) {
  DiTConfig config = preset("tiny");
  BOOST_TEST(kernels_of(config, {}).size() == 5U);
  BOOST_TEST(kernels_of(config, {.gradients = false}).size() == 2U);
  config.attention = AttentionKind::kSoftmax;
  BOOST_TEST(kernels_of(config, {}).size() == 4U);  // no state
  config.attention = AttentionKind::kWindow;
  BOOST_TEST(kernels_of(config, {}).size() == 4U);  // no state
  config.attention = AttentionKind::kGated;
  config.dim = 18;  // heads of 9 channels run composed
  BOOST_TEST(kernels_of(config, {}).empty());
}

BOOST_AUTO_TEST_CASE(shared_memory_fits_every_gpu) {
  constexpr std::int64_t kLeast = 99 << 10;  // opt-in limit per block on sm_89 and sm_120
  jit::KernelDefinitions definitions;
  define_kernels(definitions);
  for (const jit::KernelRef& kernel : default_kernels(Backend::kCuda)) {
    const std::int64_t sums =
        kernel.name == "glga_rows_grad" ? 2048 : 0;  // static, in addition to shared_bytes
    BOOST_TEST(definitions.source(kernel).shared_bytes <= kLeast - sums,
               to_string(kernel.spec, kernel.name));
  }
}

BOOST_AUTO_TEST_CASE(a_sample_compiles_for_gpus) {
  jit::Options options;
  options.cache.named = "";
  jit::KernelBuilder builder(options);
  define_kernels(builder.definitions());
  if (!builder.compiler(Backend::kCuda)) {
    BOOST_TEST_MESSAGE("skipped: " << builder.compiler(Backend::kCuda).why);
    return;
  }
  // Heads of 72 channels, alternating over the architectures. scripts/check_cubins.sh compiles the
  // whole list for each.
  const char* archs[] = {"sm_80", "sm_89", "sm_90a", "sm_100", "sm_120"};
  const auto kernels = kernels_of(preset("XL"), {.backend = Backend::kCuda, .dtype = DType::kBF16});
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const auto request = builder.request(kernels[i], {Backend::kCuda, archs[i % 5]});
    const auto built = builder.build(request, {.timeout = std::chrono::minutes(10), .stop = {}});
    const jit::Resources& r = built.artifact->resources;
    BOOST_TEST(r.registers > 0, request.title());
    BOOST_TEST(r.spill_stores + r.spill_loads == 0, request.title() << " spills");
  }
}
