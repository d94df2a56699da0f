// The list of default specialisations covers the named sizes, fits every GPU, and what is on it compiles.
#define BOOST_TEST_MODULE dit_kernels
#include "eflow/nn/dit_kernels.hpp"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <set>

#include "eflow/core/device.hpp"
#include "eflow/core/runnable_kernels.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tile_bytes.hpp"
#include "eflow/jit/tuner.hpp"
#include "eflow/nn/glga.hpp"
#include "support/jit_options.hpp"

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
    // Five texts; with dropped tokens all that know the window a second time. Full softmax has no state.
    const bool softmax = config.softmax_every > 0;
    BOOST_TEST(kernels.size() == 5U + (kept > 0 ? 3U : 0U) + (softmax ? 4U : 0U));
    BOOST_TEST(is_on(gpu, kernels));
  }
}

BOOST_AUTO_TEST_CASE(what_the_cpu_trains_is_on_its_list) {
  const std::set<std::string> cpu = names_of(default_kernels(Backend::kHost));
  for (const char* name : {"tiny", "quickstart", "sprites"}) {
    for (const int kept : {0, 25})
      BOOST_TEST(is_on(cpu, kernels_of(preset(name), {.kept_percent = kept})));
  }
}

BOOST_AUTO_TEST_CASE(what_a_model_needs_can_be_tuned_at_its_sizes) {
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

/// A module that is prepared has the tiles that were tuned for its number of tokens before its first call.
BOOST_AUTO_TEST_CASE(preparing_takes_what_was_tuned) {
  const test::TempDir dir;
  const jit::Options options = test::quick_options(dir);
  const DiTConfig config = preset("tiny");
  const jit::TuningJob job = tuning_jobs(config, {})[0];
  BOOST_REQUIRE(job.kernel.name == "glga_forward");
  {
    jit::Runtime runtime(options);
    const auto kernels = runnable_kernels();
    const auto kernel = std::find_if(kernels.begin(), kernels.end(), [](const auto& k) {
      return k.definition.name == "glga_forward";
    });
    jit::TuneOptions made_up;  // the larger the tile, the faster
    made_up.clock = [](const jit::Workload&, const jit::Spec& spec, int count) {
      return count / static_cast<double>(spec.constants[jit::detail::GlgaConstant::kRows] +
                                         spec.constants[jit::detail::GlgaConstant::kKeys]);
    };
    static_cast<void>(
        tune(runtime, job.kernel, kernel->workload(runtime, job.kernel.spec, job.sizes), made_up));
  }
  const DevicePtr device = make_cpu_device(options);
  const Glga glga(Scope({.seed = 1}, DType::kF32, device), config.dim, config.heads,
                  config.attention_options(0));
  jit::Spec largest = job.kernel.spec;
  largest.constants[jit::detail::GlgaConstant::kRows] =
      largest.constants[jit::detail::GlgaConstant::kKeys] = 128;
  BOOST_TEST(!device->runtime().has(largest));
  glga.prepare(100, false, -1);
  BOOST_TEST(device->runtime().has(largest));
}

BOOST_AUTO_TEST_CASE(other_attention_needs_less) {
  DiTConfig config = preset("tiny");
  BOOST_TEST(kernels_of(config, {}).size() == 5U);
  BOOST_TEST(kernels_of(config, {.gradients = false}).size() == 2U);
  config.attention = AttentionKind::kSoftmax;
  BOOST_TEST(kernels_of(config, {}).size() == 4U);  // no state
  config.attention = AttentionKind::kWindow;
  BOOST_TEST(kernels_of(config, {}).size() == 4U);  // no state
  config.attention = AttentionKind::kGated;
  config.dim = 18;  // heads of 9 channels are composed
  BOOST_TEST(kernels_of(config, {}).empty());
}

BOOST_AUTO_TEST_CASE(shared_memory_fits_every_gpu) {
  constexpr std::int64_t kLeast = 99 << 10;  // of sm_89 and sm_120, what a block may opt in to
  const jit::KernelDefinitions definitions;
  for (const jit::KernelRef& kernel : default_kernels(Backend::kCuda)) {
    const std::int64_t sums =
        kernel.name == "glga_rows_grad" ? 2048 : 0;  // beside what it asks for
    BOOST_TEST(definitions.source(kernel).shared_bytes <= kLeast - sums,
               to_string(kernel.spec, kernel.name));
  }
}

BOOST_AUTO_TEST_CASE(some_of_it_compiles_for_gpus) {
  jit::Options options;
  options.cache.named = "";
  jit::KernelBuilder builder(options);
  if (!builder.compiler(Backend::kCuda)) {
    BOOST_TEST_MESSAGE("skipped: " << builder.compiler(Backend::kCuda).why);
    return;
  }
  // Heads of 72 channels, over all architectures; scripts/check_cubins.sh compiles the whole list for each.
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
