// The shared memory of a text's tiles is counted from its PTX: on written lines, and on what NVRTC
// makes of texts.
#define BOOST_TEST_MODULE tile_bytes
#include "eflow/jit/cuda/tile_bytes.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/kernel/artifact.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

/// A builder that compiles `body` as the text of a kernel k; its arena is called arena.
std::unique_ptr<KernelBuilder> builder_of(const std::string& body) {
  Options options;
  options.cache.named = "";
  auto builder = std::make_unique<KernelBuilder>(options);
  builder->texts().add("acme/k.h",
                       "#pragma once\n#include \"eflow/kernels_src/tile/matrix.h\"\n"
                       "namespace EFLOW_TEXT {\nstruct Args { float* p; int n; };\n"
                       "void k(const Block& block, const Args& args) {\n  Arena arena(block);\n" +
                           body + "}\n}\n");
  builder->definitions().add({.name = "k",
                              .text = "acme/k.h",
                              .expression = "k",
                              .threads = 128,
                              .space = {},
                              .shared_bytes = {},
                              .prologue = ""});
  return builder;
}
int tiles_of(const std::string& body) {
  const auto builder = builder_of(body);
  const BuildRequest request =
      builder->request({"k", KernelSpec("k", {})}, {Backend::kCuda, "sm_80"});
  const Artifact made = *builder->build(request, {}).artifact;
  // The container keeps it.
  BOOST_TEST(Artifact::decode(made.encode())->resources.shared == made.resources.shared);
  return made.resources.shared - parse_resources(made.log).shared;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_largest_constant_counts) {
  BOOST_TEST(tile_bytes("", "k") == 0);
  BOOST_TEST(tile_bytes("mov.u32 \t%r1, 512;\n", "k") == 0);
  BOOST_TEST(tile_bytes("\tmov.u32 \t%r1, 4096;\n"
                        "setp.lt.u32 too_few, given, %r1; // eflow_tiles %r1\n"
                        "\tmov.b32 \t%r2, 8192;\n"
                        "setp.lt.u32 too_few, given, %r2; // eflow_tiles %r2\n"
                        "\tmov.u32 \t%r1, 128;\n"
                        "setp.lt.u32 too_few, given, %r1; // eflow_tiles %r1\n",
                        "k") == 8192);
  BOOST_TEST(tile_bytes("setp.lt.u32 too_few, given, 640; // eflow_tiles 640\n", "k") == 640);
}

BOOST_AUTO_TEST_CASE(a_place_that_is_only_known_at_run_time_is_refused) {
  BOOST_CHECK_EXCEPTION(
      static_cast<void>(tile_bytes("add.s32 %r1, %r2, 4;\n// eflow_tiles %r1\n", "k<f32>(3)")),
      CompileError, [](const CompileError& e) {
        const std::string what = e.what();
        return what.find("k<f32>(3)") != what.npos && what.find("outside of loops") != what.npos;
      });
}

BOOST_AUTO_TEST_CASE(nvrtc_counts_the_tiles_of_texts) {
  if (!test::nvrtc()) {
    BOOST_TEST_MESSAGE("skipped: " << test::nvrtc().why);
    return;
  }
  const std::string use = "  load(a, View<const float>{args.p, 64, 64, 64});\n";
  const std::string tile = "  const auto a = alloc<float, 64, 64, Use::kLeft>(arena);\n" + use;
  BOOST_TEST(tiles_of(tile) == 64 * 64 * 4);
  // A callee's tiles are released; two callees use the same place.
  const std::string callee = "  const auto f = [&](Arena arena) {\n" + tile + "  };\n";
  BOOST_TEST(tiles_of(callee + "  f(arena);\n  f(arena);\n") == 64 * 64 * 4);
  BOOST_TEST(tiles_of("  const auto r = alloc_ring<3, bf16, 32, 64, Use::kRight>(arena);\n" + tile +
                      "  load(r[2], View<const float>{args.p, 64, 32, 64});\n") ==
             64 * 64 * 4 + 3 * 32 * 64 * 2);
  BOOST_CHECK_THROW(tiles_of("  for (int i = 0; i < args.n; ++i) {\n" + tile + "  }\n"),
                    CompileError);
}

BOOST_AUTO_TEST_CASE(built_in_kernels_say_what_is_counted) {
  if (!test::nvrtc()) {
    BOOST_TEST_MESSAGE("skipped: " << test::nvrtc().why);
    return;
  }
  Options options;
  options.cache.named = "";
  KernelBuilder builder(options);
  int with_tiles = 0;
  for (const auto& [spec, entry] : builtin_index(Isa::kBaseline)) {
    // Products of f64 take a compiler minutes.
    if (entry->shared_bytes == 0 || spec.dtypes[0] != static_cast<std::uint8_t>(DType::kBF16))
      continue;
    ++with_tiles;
    const BuildRequest request = builder.request({entry->text, spec}, {Backend::kCuda, "sm_80"});
    const Artifact made = *builder.build(request, {}).artifact;
    BOOST_TEST(made.resources.shared - parse_resources(made.log).shared == entry->shared_bytes,
               request.title());
  }
  BOOST_TEST(with_tiles > 0);
}
