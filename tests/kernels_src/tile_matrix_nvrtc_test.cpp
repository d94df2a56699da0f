// Compiles tile_matrix_text.h with NVRTC for every architecture: all primitives in all forms,
// without a GPU. Skipped if NVRTC is not installed.
#define BOOST_TEST_MODULE tile_matrix_nvrtc
#include <boost/test/unit_test.hpp>
#include <future>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/jit/tile_texts.hpp"

using namespace eflow;
using test::nvrtc;
using test::SkipWithoutNvrtc;

namespace {

constexpr int kThreads = 128;

jit::Compiled compile(std::string_view arch, const test::TileKernel& tile) {
  static const std::string root = test::tile_kernels(kThreads)[0].text;
  static const auto closure = [] {
    jit::KernelTexts texts;
    for (const jit::TextFile& file : test::tile_texts()) texts.add(file.path, file.text);
    return texts.closure(root);
  }();
  jit::BuildRequest r;
  r.name = tile.kernel.name;
  r.spec = tile.kernel.spec;
  r.target = {jit::Backend::kCuda, std::string(arch)};
  r.program = jit::make_program(
      r.target.backend,
      {.title = tile.expression, .text = root, .expression = tile.expression, .threads = kThreads});
  r.texts = closure;
  r.toolchain = nvrtc().compiler->toolchain();
  r.options = nvrtc().compiler->options(r.target);
  return nvrtc().compiler->compile(r, {});
}

struct Made {
  std::string title;
  jit::Compiled compiled;
};

/// Each case is compiled for one architecture, and each text for all of them.
std::vector<Made> compile_share(DType dtype) {
  std::vector<Made> out;
  std::size_t turn = 0;
  for (const test::TileKernel& tile : test::tile_cases(dtype, kThreads)) {
    const std::string_view arch = jit::kDefaultArchs[turn++ % std::size(jit::kDefaultArchs)];
    out.push_back({str(tile.expression, " for ", arch), compile(arch, tile)});
  }
  return out;
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

BOOST_AUTO_TEST_CASE(all_primitives_compile_for_all_architectures) {
  static_cast<void>(nvrtc());
  auto f32 = std::async(std::launch::async, compile_share, DType::kF32);
  auto bf16 = std::async(std::launch::async, compile_share, DType::kBF16);
  for (const auto& made : {f32.get(), bf16.get()}) {
    for (const Made& m : made) {
      BOOST_TEST((m.compiled.image.starts_with("\x7f"
                                               "ELF")),
                 m.title);
      const jit::Resources& r = m.compiled.resources;
      BOOST_TEST(r.registers > 0, m.title);
      BOOST_TEST_MESSAGE(m.title << ": " << r.registers << " registers, " << m.compiled.seconds
                                 << " s");
    }
  }
}
