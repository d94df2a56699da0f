// Checked texts (EFLOW_CHECK=on): every kind of error is found in a process without a sanitizer, and
// named with its block, its distance and its line; say and require work, also for a GPU; correct texts
// pass.
#define BOOST_TEST_MODULE checked
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

struct Args {
  const float* x;
  float* y;
  long long n;
};

/// A text whose function has this body, from line 7 on.
std::string text_of(const std::string& body) {
  return "#pragma once\n"
         "#include \"eflow/kernels_src/tile/matrix.h\"\n"
         "#include \"eflow/kernels_src/tile/lanes.h\"\n"
         "namespace EFLOW_TEXT {\n"
         "struct Args { const float* x; float* y; long long n; };\n"
         "inline void run(const Block& block, const Args& a) {\n" +
         body + "\n}\n}\n";
}

Options checked(const test::TempDir& dir) {
  Options o;
  o.cache.named = dir / "cache";
  o.threads = 2;
  o.check = true;
  return o;
}

/// Launches four blocks with 100 numbers in x and y. Returns the error.
struct Launched {
  std::vector<float> x = std::vector<float>(100, 1.0f), y = std::vector<float>(100);
  std::string error;

  Launched(const Options& options, const std::string& body, bool restricted = true,
           float* to = nullptr) {
    Runtime runtime(options);
    runtime.add_text("acme/checked.h", text_of(body));
    runtime.define({"checked", "acme/checked.h", "run"});
    const KernelRef kernel{"checked", KernelSpec("checked", {})};
    const Prepared made = runtime.prepare({kernel})[0];
    BOOST_REQUIRE_MESSAGE(made.ok(), made.error);
    if (restricted) {
      runtime.allow_memory(x.data(), 400);
      runtime.allow_memory(y.data(), 400);
    }
    try {
      runtime.launch("checked", kernel.spec, {.x = 4}, Args{x.data(), to ? to : y.data(), 100});
    } catch (const DeviceError& e) {
      error = e.what();
    }
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

constexpr const char* kCopy =
    "  each<float>(0, a.n, [&](auto i) { store(a.y, i, 2.0f * load<float>(a.x, i)); });\n"
    "  (void)block;";

}  // namespace

BOOST_AUTO_TEST_CASE(a_correct_text_passes_and_is_another_kernel) {
  const test::TempDir dir;
  Launched launched(checked(dir), kCopy);
  BOOST_TEST(launched.error == "");
  for (const float y : launched.y) BOOST_TEST(y == 2);
  Options off = checked(dir);
  off.check = false;
  KernelBuilder on_builder(checked(dir)), off_builder(off);
  std::string keys[2];
  for (KernelBuilder* b : {&on_builder, &off_builder}) {
    b->texts().add("acme/checked.h", text_of(kCopy));
    b->definitions().add({"checked", "acme/checked.h", "run"});
    keys[b == &off_builder] = to_hex(
        key_of(b->request({"checked", KernelSpec("checked", {})}, {Backend::kHost, "baseline"})
                   .canonical_bytes()));
  }
  BOOST_TEST(keys[0] != keys[1]);
}

BOOST_AUTO_TEST_CASE(accesses_outside_of_the_memory_are_found_with_their_line) {
  const test::TempDir dir;
  const struct {
    const char *body, *what, *line;
  } cases[] = {
      {"  (void)block;\n"
       "  each<float>(0, a.n + 1, [&](auto i) { store(a.y, i, load<float>(a.x, i)); });",
       "0 bytes behind memory of 400 bytes", "acme/checked.h:8"},
      {"  if (block.x == 3)\n    a.y[a.n + 5] = 1;", "writes 4 bytes", "acme/checked.h:8"},
      {"  (void)block;\n  const auto v = gather<float>(a.x, FullLanes<float>{0}, "
       "iota<i32>(FullLanes<float>{90}) * 7);\n  store(a.y, FullLanes<float>{0}, v);",
       "reads 4 bytes", "acme/checked.h:8"},
      {"  Arena arena(block);\n  const auto tile = alloc<float, 8, 64, Use::kLeft>(arena);\n"
       "  load(tile, View<const float>{a.x, 10, 8, 64});\n  a.y[0] = tile.p[0];",
       "across the end of memory of 400 bytes", "acme/checked.h:9"},
      {"  (void)block;\n  const float* const none = a.n < 0 ? a.x : nullptr;\n  a.y[0] = none[3];",
       "null", "acme/checked.h:9"},
  };
  for (const auto& c : cases) {
    const Launched launched(checked(dir), c.body);
    BOOST_TEST(contains(launched.error, c.what), launched.error << " for " << c.body);
    BOOST_TEST(contains(launched.error, c.line), launched.error << " for " << c.body);
    BOOST_TEST(contains(launched.error, "checked<>() for "), launched.error);
    BOOST_TEST(contains(launched.error, "block ("), launched.error);
  }
  BOOST_TEST(contains(Launched(checked(dir), cases[1].body).error, "block (3, 0, 0)"));
  // Without known memory, only what cannot be right is refused.
  std::vector<float> other(100);
  BOOST_TEST(Launched(checked(dir), kCopy, false, other.data()).error == "");
  BOOST_TEST(other[99] == 2);
  BOOST_TEST(contains(Launched(checked(dir), cases[4].body, false).error, "null pointer"));
  BOOST_TEST(Launched(checked(dir), kCopy, true, other.data()).error != "");
}

BOOST_AUTO_TEST_CASE(tiles_are_told_from_their_neighbours) {
  const test::TempDir dir;
  const std::string two =
      "  Arena arena(block);\n"
      "  const auto s = alloc<float, 8, 16, Use::kLeft>(arena);\n"
      "  const auto t = alloc<float, 8, 16, Use::kLeft>(arena);\n"
      "  load(s, View<const float>{a.x, 16, 6, 16});\n"
      "  load(t, View<const float>{a.x, 16, 6, 16});\n";
  const Launched behind(checked(dir), two + "  a.y[0] = s.p[s.kCount + 3] + t.p[0];");
  BOOST_TEST(contains(behind.error, "reads 4 bytes"), behind.error);
  BOOST_TEST(contains(behind.error, "12 bytes behind a tile of"), behind.error);
  BOOST_TEST(contains(behind.error, "acme/checked.h:12"), behind.error);
  BOOST_TEST(Launched(checked(dir), two + "  a.y[0] = s.p[5] + t.p[0];").error == "");
  // A tile that was never loaded is NaN.
  const Launched fresh(checked(dir),
                       "  Arena arena(block);\n"
                       "  a.y[0] = alloc<float, 8, 16, Use::kLeft>(arena).p[7];");
  BOOST_TEST(fresh.error == "");
  BOOST_TEST(fresh.y[0] != fresh.y[0]);
}

BOOST_AUTO_TEST_CASE(undefined_behaviour_is_found) {
  const test::TempDir dir;
  const struct {
    const char *body, *what;
  } cases[] = {
      {"  (void)block;\n  const int zero = static_cast<int>(a.n) - 100;\n  a.y[0] = float(7 / "
       "zero);",
       "a division by zero"},
      {"  (void)block;\n  const int big = 2147483647;\n  a.y[0] = float(big + int(a.n));",
       "a signed addition overflows"},
      {"  (void)block;\n  int v[4] = {1, 2, 3, 4};\n  a.y[0] = float(v[a.n - 96]);",
       "outside of its array"},
      {"  (void)block;\n  const int by = int(a.n);\n  a.y[0] = float(1 << by);", "a shift by"},
  };
  for (const auto& c : cases) {
    const Launched launched(checked(dir), c.body);
    BOOST_TEST(contains(launched.error, "undefined behaviour: "), launched.error);
    BOOST_TEST(contains(launched.error, c.what), launched.error);
    BOOST_TEST(contains(launched.error, "(acme/checked.h:9)"), launched.error);
  }
}

BOOST_AUTO_TEST_CASE(say_and_require_work_when_checked_and_are_empty_otherwise) {
  const test::TempDir dir;
  const std::string body =
      "  if (block.x == 2) say(block, \"x = \", a.x[0], \", n = \", a.n);\n"
      "  if (block.x == 2) say(block, splat<double>(0.5));\n"
      "  require(block.x != 1 || a.x[0] > 1, \"x is above 1\");\n"
      "  a.y[block.x] = 5;";
  {
    const test::Warnings warnings;
    const Launched launched(checked(dir), body);
    BOOST_TEST(warnings.count_with("[block 2, 0, 0] x = 1, n = 100") == 1);
    BOOST_TEST(warnings.count_with("[block 2, 0, 0] [0.5, 0.5") == 1);
    BOOST_TEST(contains(launched.error, "block (1, 0, 0) requires that x is above 1"),
               launched.error);
    BOOST_TEST(contains(launched.error, "(acme/checked.h:9)"), launched.error);
  }
  Options off = checked(dir);
  off.check = false;
  const test::Warnings warnings;
  const Launched launched(off, body);
  BOOST_TEST(launched.error == "");
  BOOST_TEST(launched.y[1] == 5);
  BOOST_TEST(warnings.count_with("x = ") == 0);
}

BOOST_AUTO_TEST_CASE(lines_of_texts_in_a_folder_have_their_paths) {
  const test::TempDir dir;
  std::filesystem::create_directories(dir / "texts/acme");
  std::ofstream(dir / "texts/acme/checked.h") << text_of("  if (block.x == 3)\n    a.y[a.n] = 1;");
  Options options = checked(dir);
  options.kernel_dir = dir / "texts";
  const Launched launched(options, kCopy);
  BOOST_TEST(contains(launched.error, (dir / "texts/acme/checked.h:8").string()), launched.error);
}

BOOST_AUTO_TEST_CASE(clang_is_refused_in_one_sentence) {
  if (!std::filesystem::exists("/usr/bin/clang++")) return;
  const test::TempDir dir;
  Options options = checked(dir);
  options.cxx = "/usr/bin/clang++";
  Runtime runtime(options);
  runtime.add_text("acme/checked.h", text_of(kCopy));
  runtime.define({"checked", "acme/checked.h", "run"});
  const std::string error = runtime.prepare({{"checked", KernelSpec("checked", {})}})[0].error;
  BOOST_TEST(contains(error, "EFLOW_CHECK=on and EFLOW_BACKEND=emulated need g++"), error);
}

BOOST_AUTO_TEST_CASE(say_and_require_compile_for_a_gpu) {
  if (!test::nvrtc()) {
    BOOST_TEST_MESSAGE("skipped: " << test::nvrtc().why);
    return;
  }
  const test::TempDir dir;
  for (const bool check : {false, true}) {
    Options options = checked(dir);
    options.check = check;
    KernelBuilder builder(options);
    builder.texts().add("acme/checked.h",
                        text_of("  say(block, \"x = \", a.x[0], \", n = \", a.n);\n"
                                "  require(a.n > 0, \"n is positive\");\n"
                                "  each<float>(0, a.n, [&](auto i) {\n"
                                "    say(block, load<float>(a.x, i));\n"
                                "    store(a.y, i, splat<float>(2));\n"
                                "  });"));
    builder.definitions().add({"checked", "acme/checked.h", "run"});
    const Built built = builder.build(
        builder.request({"checked", KernelSpec("checked", {})}, {Backend::kCuda, "sm_90a"}), {});
    BOOST_TEST(contains(built.artifact->image, "[block %lld, %lld, %lld, thread %d] %s%g%s%lld") ==
               check);
    BOOST_TEST(contains(built.artifact->image, "n is positive") == check);
  }
}

BOOST_AUTO_TEST_CASE(an_emulated_gpu_runs_the_gpus_form_and_finds_races) {
  const test::TempDir dir;
  Options options = checked(dir);
  options.check = false;
  options.emulate = true;
  const std::string whole =
      "  Arena arena(block);\n"
      "  const auto x = alloc<float, 8, 8, Use::kLeft>(arena);\n"
      "  const auto y = alloc<float, 8, 8, Use::kRight>(arena);\n"
      "  load(x, View<const float>{a.x, 8, 8, 8});\n"
      "  load(y, View<const float>{a.x, 8, 8, 8});\n"
      "  Acc<float, 8, 8> sums;\n"
      "  set_AB(sums, x, y);\n"
      "  if (block.x == 0) store(View<float>{a.y, 8, 8, 8}, sums);\n"
      "  const float all = sum_each<float>(0, a.n, [&](auto i) { return load<float>(a.x, i); });\n"
      "  if (block.x == 0 && thread_index() == 37) a.y[64] = all;";
  const Launched right(options, whole);
  BOOST_TEST(right.error == "");
  for (int i = 0; i < 64; ++i) BOOST_TEST(right.y[static_cast<std::size_t>(i)] == 8);
  BOOST_TEST(right.y[64] == 100);

  const struct {
    const char *body, *what, *line;
  } cases[] = {
      // Neighbours exchange without a barrier between the write and the read, within a warp and across.
      {"  Arena arena(block);\n  float* const s = alloc<float, 16, 32, Use::kLeft>(arena).p;\n"
       "  const int t = thread_index();\n  s[t] = a.x[t % 100];\n"
       "  a.y[t % 100] = s[(t + 1) % 256];",
       "between the same two barriers", "acme/checked.h:11"},
      {"  Arena arena(block);\n  float* const s = alloc<float, 16, 32, Use::kLeft>(arena).p;\n"
       "  const int t = thread_index();\n  s[t % 64] = a.x[t % 100];\n  block_barrier();\n"
       "  a.y[t % 64] = s[t % 64];",
       "writes shared memory that thread ", "acme/checked.h:10"},
      {"  if (block.x == 1 && thread_index() == 5) a.y[a.n] = 1;", "0 bytes behind memory of 400",
       "acme/checked.h:7"},
      {"  (void)block;\n  require(thread_index() != 77, \"thread 77 is elsewhere\");",
       "thread 77: requires that thread 77 is elsewhere", "acme/checked.h:8"},
  };
  for (const auto& c : cases) {
    const Launched launched(options, c.body);
    BOOST_TEST(contains(launched.error, c.what), launched.error << " for " << c.body);
    BOOST_TEST(contains(launched.error, c.line), launched.error << " for " << c.body);
  }
  // The same exchange with its barrier.
  const Launched exchanged(
      options,
      "  Arena arena(block);\n  float* const s = alloc<float, 16, 32, Use::kLeft>(arena).p;\n"
      "  const int t = thread_index();\n  s[t] = static_cast<float>(t);\n  block_barrier();\n"
      "  if (t < 100) a.y[t] = s[(t + 1) % 256];");
  BOOST_TEST(exchanged.error == "");
  BOOST_TEST(exchanged.y[36] == 37);
}
