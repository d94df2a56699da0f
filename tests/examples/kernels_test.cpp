// The example kernels compute what they should, in f32 and bf16: on the CPU, and on a GPU that
// interprets NVRTC's output. For five architectures they compile to machine code without a spill.
// A text and its host are at most 60 lines each.
#define BOOST_TEST_MODULE examples
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "eflow/core/base/error.hpp"
#include "eflow/examples/kernels/example.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"

using namespace eflow;

namespace {

void run_all(const DevicePtr& device) {
  for (const examples::Example& example : examples::kExamples) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      BOOST_TEST_CONTEXT(example.name << " " << dtype) {
        double error = -1;
        BOOST_CHECK_NO_THROW(error = example.run(device, dtype));
        BOOST_TEST(error >= 0);
        BOOST_TEST(error <= examples::limit(dtype));
      }
    }
  }
}

/// The constants that the examples specialise their kernels with.
struct Used {
  const char* kernel;
  std::vector<int> constants;
};
const std::vector<Used>& used() {
  static const std::vector<Used> all{{"vector_add", {}},
                                     {"softmax_rows", {256}},
                                     {"softmax_rows", {0}},
                                     {"dropout", {}},
                                     {"matmul", {64, 64, 32}},
                                     {"layer_norm", {256}},
                                     {"layer_norm_grad", {}},
                                     {"layer_norm_sum_parts", {}},
                                     {"attention", {64, 64, 64}},
                                     {"grouped_gemm", {64, 64, 32}},
                                     {"cumsum", {}},
                                     {"gather_rows", {}},
                                     {"scatter_add", {}}};
  return all;
}
jit::KernelRef kernel_of(const Used& used, DType dtype) {
  jit::KernelSpec spec(used.kernel, {dtype});
  std::copy(used.constants.begin(), used.constants.end(), spec.constants);
  return {used.kernel, spec};
}

}  // namespace

BOOST_AUTO_TEST_CASE(on_the_cpu) {
  run_all(default_device());
  for (const Used& u : used())  // which are the kernels that the examples made
    BOOST_TEST(default_device()->runtime().has(kernel_of(u, DType::kBF16).spec), u.kernel);
}

BOOST_AUTO_TEST_CASE(on_a_gpu_that_interprets_ptx) {
  if (!test::nvrtc()) {
    BOOST_TEST_MESSAGE("skipped: " << test::nvrtc().why);
    return;
  }
  const test::PtxGpu gpu;
  run_all(gpu.device());
  BOOST_TEST(gpu.counts().products > 0);
}

BOOST_AUTO_TEST_CASE(no_architecture_spills) {
  if (!test::nvrtc()) {
    BOOST_TEST_MESSAGE("skipped: " << test::nvrtc().why);
    return;
  }
  jit::KernelBuilder& builder = default_device()->runtime().builder();
  std::size_t turn = 0;
  for (const std::string_view arch : jit::kDefaultArchs) {
    for (const Used& u : used()) {
      const DType dtype = turn++ % 2 == 0 ? DType::kF32 : DType::kBF16;
      const jit::BuildRequest request =
          builder.request(kernel_of(u, dtype), {jit::Backend::kCuda, std::string(arch)});
      const jit::ArtifactPtr artifact = builder.build(request, {}).artifact;
      const jit::Resources& r = artifact->resources;
      BOOST_TEST(r.registers > 0, request.title());
      BOOST_TEST(r.spill_stores + r.spill_loads == 0, request.title() << " spills");
      const bool has_tiles = u.constants.size() == 3;
      const int tiles = r.shared - jit::parse_resources(artifact->log).shared;
      BOOST_TEST((tiles > 0) == has_tiles, request.title() << " has " << tiles << " B of tiles");
    }
    ++turn;
  }
}

BOOST_AUTO_TEST_CASE(texts_and_hosts_are_short) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(EFLOW_EXAMPLE_TEXTS)) {
    const std::string name = entry.path().filename();
    if (name == "example.hpp" || name == "arguments.hpp") continue;  // of all examples
    std::ifstream in(entry.path());
    std::string line;
    int lines = 0;
    while (std::getline(in, line)) ++lines;
    BOOST_TEST(lines <= 60, entry.path() << " has " << lines << " lines");
    ++files;
  }
  BOOST_TEST(files == 21);
}
