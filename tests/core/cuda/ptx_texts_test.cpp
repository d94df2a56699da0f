// Faults planted in the texts themselves are seen on a GPU that interprets PTX: the same launches
// that pass in ptx_glga_test.cpp fail when a text lacks one barrier, one wait or one fence.
#define BOOST_TEST_MODULE ptx_texts
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/kernel/texts.hpp"
#include "eflow/tests/support/cuda/hopper_attention.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/ptx/ptx_gpu.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using test::SkipWithoutNvrtc;

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

namespace {

/// Writes the text to the directory without the first `line` behind `function`.
void plant(const test::TempDir& dir, const std::string& path, const std::string& function,
           const std::string& line) {
  for (const jit::TextFile& file : jit::embedded_texts()) {
    if (jit::short_text_path(file.path) != path) continue;
    std::string text = file.text;
    const std::size_t at = text.find(line, text.find(function));
    BOOST_REQUIRE(at != std::string::npos);
    text.erase(at, line.size());
    std::filesystem::create_directories((dir / path).parent_path());
    std::ofstream(dir / path) << text;
    return;
  }
  BOOST_FAIL("no text " << path);
}

/// The error of attention, forward and backward, with the texts in the directory.
std::string fault_of(const test::TempDir& dir, DType dtype, int arch) {
  const test::PtxGpu gpu({.arch = arch});
  jit::Options options = gpu.options();
  options.kernel_dir = dir.path();
  const test::GlgaCase c = test::hopper_case(dtype, 64, false, 0);
  try {
    if (arch >= 90)
      test::check_hopper_configs(options, c, false);
    else
      test::check_fused_glga(make_device(options), c);
  } catch (const DeviceError& e) {
    return e.what();
  }
  return "";
}

bool says(const std::string& fault, const std::string& what) {
  BOOST_TEST_MESSAGE(fault);
  return fault.find(what) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_missing_wait_for_copies_is_seen) {
  const test::TempDir dir;
  plant(dir, "tile/cuda/matrix_tile.h", "void finish_copies()", "wait_copies<0>();");
  BOOST_TEST(says(fault_of(dir, DType::kBF16, 80), "has not been waited for"));
}

BOOST_AUTO_TEST_CASE(a_missing_barrier_is_seen) {
  const test::TempDir dir;
  plant(dir, "tile/cuda/pack.h", "C reduce_block(", "block_barrier();");
  const test::PtxGpu gpu;
  jit::Options options = gpu.options();
  options.kernel_dir = dir.path();
  const auto total = [](const DevicePtr& device) {
    const test::DefaultDevice here(device);
    return sum(Tensor::from(std::vector<float>(3000, 1.0f), {3000}, device)).to_vector<float>()[0];
  };
  BOOST_TEST(total(gpu.device()) == 3000);
  BOOST_CHECK_EXCEPTION(total(make_device(options)), DeviceError, [](const DeviceError& e) {
    return says(e.what(), "race: ") || says(e.what(), "never written");
  });
}

BOOST_AUTO_TEST_CASE(a_missing_proxy_fence_is_seen) {
  const test::TempDir dir;
  plant(dir, "tile/cuda/matrix_tile.h", "void finish_copies()", "publish_shared_writes();");
  BOOST_TEST(says(fault_of(dir, DType::kBF16, 90), "no fence.proxy.async"));
}
