// Runtime: users' kernels from text to launch, the source of each kernel, and error messages.
#define BOOST_TEST_MODULE runtime
#include "eflow/jit/runtime.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <fstream>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/kernels_src/args/loss.h"
#include "eflow/tests/support/jit/fake_compiler.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace fs = std::filesystem;

namespace {

constexpr const char* kText =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/pack.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "struct Scale { const float* x; float* y; long long n, per_block; };\n"
    "template <class T, int kTimes>\n"
    "void scale(const Block& block, const Scale& a) {\n"
    "  const Index begin = block.x * a.per_block, end = min_of(begin + a.per_block, a.n);\n"
    "  each<T>(begin, end, [&](auto i) { store(a.y, i, load<T>(a.x, i) * float(kTimes)); });\n"
    "}\n"
    "}\n";

struct Scale {
  const float* x;
  float* y;
  long long n, per_block;
};

Options with_cache(const test::TempDir& dir) {
  Options o;
  o.cache.named = dir / "cache";
  o.threads = 2;
  return o;
}

std::unique_ptr<Runtime> runtime_with_scale(const Options& options,
                                            const std::string& text = kText) {
  auto runtime = std::make_unique<Runtime>(options);
  runtime->add_text("acme/scale.h", text);
  runtime->define({"scale", "acme/scale.h", "scale<$t0, $c0>"});
  return runtime;
}

KernelRef scale_by(int times) {
  return {"scale", KernelSpec("scale", {DType::kF32}, {times})};
}

void check_launch(const Runtime& runtime, int times) {
  std::vector<float> x(1000), y(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const Scale args{x.data(), y.data(), 1000, 100};
  runtime.launch("scale", scale_by(times).spec, {.x = 10}, args);
  for (std::size_t i = 0; i < x.size(); ++i)
    BOOST_REQUIRE(y[i] == static_cast<float>(times) * x[i]);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_users_kernel_is_prepared_once_and_found_afterwards) {
  const test::TempDir dir;
  const auto first = runtime_with_scale(with_cache(dir));
  BOOST_TEST(!first->has(scale_by(3).spec));
  BOOST_CHECK_THROW(check_launch(*first, 3), NeedsPrepare);
  const auto compiled = first->prepare({scale_by(3), scale_by(5)});
  for (const Prepared& p : compiled) {
    BOOST_REQUIRE_MESSAGE(p.ok(), p.error);
    BOOST_TEST(name_of(p.origin) == "compiled");
  }
  check_launch(*first, 3);
  check_launch(*first, 5);
  BOOST_TEST(name_of(first->prepare({scale_by(3)})[0].origin) == "memory");
  BOOST_TEST(first->stats().compiled == 2u);
  BOOST_TEST(first->stats().memory_hits == 1u);

  const auto second = runtime_with_scale(with_cache(dir));
  BOOST_TEST(name_of(second->prepare({scale_by(5)})[0].origin) == "disk cache");
  check_launch(*second, 5);

  Options forbid = with_cache(dir);
  forbid.mode = JitMode::kForbid;
  const auto third = runtime_with_scale(forbid);
  const auto found = third->prepare({scale_by(3), scale_by(7)});
  BOOST_TEST(found[0].ok());
  BOOST_TEST(contains(found[1].error, "EFLOW_JIT=forbid"), found[1].error);
  BOOST_TEST(contains(found[1].error, "scale<f32>(7)"), found[1].error);

  Options off = with_cache(dir);
  off.mode = JitMode::kOff;
  BOOST_TEST(contains(runtime_with_scale(off)->prepare({scale_by(3)})[0].error, "EFLOW_JIT=off"));

  // A changed text is a different kernel.
  const auto changed = runtime_with_scale(with_cache(dir), std::string(kText) + "// changed\n");
  BOOST_TEST(name_of(changed->prepare({scale_by(3)})[0].origin) == "compiled");
}

BOOST_AUTO_TEST_CASE(a_prologue_stands_before_the_text) {
  const test::TempDir dir;
  Runtime runtime(with_cache(dir));
  runtime.add_text("acme/scale.h", kText);
  KernelDefinition scale{"scale", "acme/scale.h", "scale<$t0, TIMES - 1>"};
  scale.prologue = "#define TIMES ($c0 + 1)\n";
  runtime.define(scale);
  BOOST_TEST(runtime.prepare({scale_by(4)})[0].error == "");
  check_launch(runtime, 4);
  scale.prologue = "#define TIMES ($c0 + 2)\n";
  BOOST_CHECK_THROW(runtime.define(scale), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(additions_of_all_blocks_arrive) {
  constexpr const char* kAdd =
      "#pragma once\n"
      "#include \"eflow/kernels_src/tile/lanes.h\"\n"
      "namespace EFLOW_TEXT {\n"
      "struct Add { const int* index; float* one; double* other; int* at; long long n; };\n"
      "inline void add_all(const Block&, const Add& a) {\n"
      "  each<float>(0, a.n, [&](auto i) {\n"
      "    add_to(a.one, i, load<float>(a.index, i));\n"
      "    add_to(a.other, i, splat<float>(2));\n"
      "    add_at(a.at, i, load<i32>(a.index, i), splat<i32>(1)); });\n"
      "}\n"
      "}\n";
  const test::TempDir dir;
  for (const int threads : {1, 4}) {  // one thread adds without atomic instructions
    Options options = with_cache(dir);
    options.threads = threads;
    Runtime runtime(options);
    runtime.add_text("acme/add.h", kAdd);
    runtime.define({"add_all", "acme/add.h", "add_all"});
    const KernelSpec spec("add_all", {});
    const Prepared made = runtime.prepare({{"add_all", spec}})[0];
    BOOST_REQUIRE_MESSAGE(made.ok(), made.error);
    constexpr int kN = 37, kBlocks = 1000;
    std::vector<int> index(kN), at(3);
    for (int i = 0; i < kN; ++i) index[static_cast<std::size_t>(i)] = i % 3;
    std::vector<float> one(kN);
    std::vector<double> other(kN);
    const struct {
      const int* index;
      float* one;
      double* other;
      int* at;
      long long n;
    } args{index.data(), one.data(), other.data(), at.data(), kN};
    runtime.launch("add_all", spec, {.x = kBlocks}, args);
    for (std::size_t i = 0; i < kN; ++i) {
      BOOST_TEST(one[i] == kBlocks * index[i]);
      BOOST_TEST(other[i] == 2 * kBlocks);
    }
    BOOST_TEST(at == (std::vector<int>{13 * kBlocks, 12 * kBlocks, 12 * kBlocks}),
               boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(units_are_fields_of_the_definition) {
  const test::TempDir dir;
  Runtime runtime(with_cache(dir));
  runtime.add_text("acme/scale.h", kText);
  KernelDefinition scale{"scale", "acme/scale.h", "scale<$t0, $c0>"};
  scale.warpgroups = "1";
  scale.bulk_copies = "$c1";
  runtime.define(scale);
  const auto program = [&](int bulk) {
    const KernelRef kernel("scale", KernelSpec("scale", {DType::kF32}, {4, bulk}));
    return runtime.builder().request(kernel, {Backend::kCuda, "sm_90a"}).program;
  };
  BOOST_TEST(contains(program(0), "#define EFLOW_WARPGROUPS 1\n#define EFLOW_BULK_COPIES 0\n"));
  BOOST_TEST(contains(program(1), "#define EFLOW_WARPGROUPS 1\n#define EFLOW_BULK_COPIES 1\n"));
  BOOST_CHECK_EXCEPTION(program(2), CompileError, [](const CompileError& e) {
    return contains(e.what(), "KernelDefinition::bulk_copies, \"$c1\", is 2; expected 0 or 1");
  });
  scale.warpgroups = "";
  BOOST_CHECK_THROW(runtime.define(scale), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(arguments_of_another_size_are_refused) {
  const auto runtime = runtime_with_scale({});
  BOOST_REQUIRE(runtime->prepare({scale_by(2)})[0].ok());
  const struct { int x; } wrong{1};
  BOOST_CHECK_THROW(runtime->launch("scale", scale_by(2).spec, {}, wrong), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(a_tile_that_does_not_fit_names_itself_its_bytes_and_the_limit) {
  const test::TempDir dir;
  Runtime runtime(with_cache(dir));
  runtime.add_text("acme/tiles.h",
                   "#pragma once\n"
                   "#include \"eflow/kernels_src/tile/matrix.h\"\n"
                   "namespace EFLOW_TEXT {\n"
                   "struct Scale { const float* x; float* y; long long n, per_block; };\n"
                   "template <class T, int kRows>\n"
                   "void tiles(const Block& block, const Scale& a) {\n"
                   "  Arena arena(block);\n"
                   "  const auto first = alloc<T, 512, 512, Use::kLeft>(arena);\n"
                   "  const auto second = alloc<T, kRows, 512, Use::kLeft>(arena);\n"
                   "  load(first, View<const T>{a.x, 1, 1, 1});\n"
                   "  load(second, View<const T>{a.x, 1, 1, 1});\n"
                   "  a.y[block.x] = first.p[0] + second.p[0];\n"
                   "}\n"
                   "}\n");
  runtime.define({"tiles", "acme/tiles.h", "tiles<$t0, $c0>"});
  const KernelRef fits{"tiles", KernelSpec("tiles", {DType::kF32}, {1536})};
  const KernelRef large{"tiles", KernelSpec("tiles", {DType::kF32}, {1537})};
  for (const Prepared& p : runtime.prepare({fits, large})) BOOST_REQUIRE_MESSAGE(p.ok(), p.error);
  const float x = 2;
  std::vector<float> y(64);
  const Scale args{&x, y.data(), 0, 0};
  runtime.launch("tiles", fits.spec, {.x = 64}, args);
  for (const float f : y) BOOST_TEST(f == 4);
  for (const long long blocks : {1, 64}) {
    BOOST_CHECK_EXCEPTION(
        runtime.launch("tiles", large.spec, {.x = blocks}, args), InvalidArgument,
        [](const Error& e) {
          const std::string what = e.what();
          BOOST_TEST(contains(what, "tiles<f32>(1537)"), what);
          BOOST_TEST(contains(what, "a tile of 1537 x 512 (3147776 B)"), what);
          BOOST_TEST(contains(what, "the 3145728 B that are left of a block's 4194304 B"), what);
          return true;
        });
  }
  runtime.launch("tiles", fits.spec, {.x = 64}, args);  // the pool still works
}

BOOST_AUTO_TEST_CASE(warnings_of_a_users_text_are_logged) {
  const test::TempDir dir;
  const test::Warnings warnings;
  const auto runtime = runtime_with_scale(
      with_cache(dir), std::string(kText).replace(std::string(kText).find("  each<T>"), 0,
                                                  "  T rest; if (end > begin) a.y[0] = rest;\n"));
  BOOST_REQUIRE(runtime->prepare({scale_by(3)})[0].ok());
  BOOST_TEST(warnings.count_with("scale<f32>(3) for ") == 1);
  BOOST_TEST(warnings.count_with("acme/scale.h:8") == 1);
}

BOOST_AUTO_TEST_CASE(one_kernel_that_fails_does_not_stop_the_others) {
  auto runtime = runtime_with_scale({});
  runtime->define({"broken", "acme/scale.h", "no_such_function<$t0>"});
  runtime->define({"asks", "acme/scale.h", "scale<$t3, $c0>"});
  const auto out = runtime->prepare({{"broken", KernelSpec("broken", {DType::kF32})},
                                     scale_by(2),
                                     {"asks", KernelSpec("asks", {DType::kF32})},
                                     {"undefined", KernelSpec("undefined", {})}});
  BOOST_TEST(contains(out[0].error, "no_such_function"), out[0].error);
  BOOST_TEST(contains(out[0].error, "broken<f32>():1"), out[0].error);
  BOOST_TEST(out[1].ok(), out[1].error);
  BOOST_TEST(contains(out[2].error, "no dtype 3"), out[2].error);
  BOOST_TEST(contains(out[3].error, "no kernel is called undefined"), out[3].error);
  check_launch(*runtime, 2);
}

BOOST_AUTO_TEST_CASE(threads_that_want_one_kernel_compile_it_once) {
  const auto runtime = runtime_with_scale({});
  std::atomic<int> failed{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&] {
        failed += !runtime->prepare({scale_by(4), scale_by(6)})[1].ok();
      });
    }
  }
  BOOST_TEST(failed == 0);
  BOOST_TEST(runtime->stats().compiled == 2u);
  check_launch(*runtime, 4);
}

BOOST_AUTO_TEST_CASE(a_failure_reaches_all_who_wait_and_is_tried_again) {
  const test::TempDir dir;
  Options options;
  options.cxx = test::fake_compiler(
      dir / "cxx", "sleep 0.3; echo try >> " + (dir / "tries").string() + "; exit 1\n");
  const auto runtime = runtime_with_scale(options);
  std::atomic<int> told{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back(
          [&] { told += contains(runtime->prepare({scale_by(2)})[0].error, "exit code 1"); });
    }
  }
  BOOST_TEST(told == 4);
  BOOST_TEST(contains(runtime->prepare({scale_by(2)})[0].error, "exit code 1"));
  BOOST_TEST(runtime->stats().failed >= 2u);
}

BOOST_AUTO_TEST_CASE(an_entry_that_cannot_be_loaded_is_compiled_anew) {
  const test::TempDir dir;
  const auto first = runtime_with_scale(with_cache(dir));
  BOOST_REQUIRE(first->prepare({scale_by(3)})[0].ok());
  DiskCache& cache = *first->builder().disk();
  std::string why;
  Artifact bad = *cache.read(cache.entries()[0], why);
  bad.image = "not an ELF file";
  BOOST_REQUIRE(cache.put(bad));

  const auto second = runtime_with_scale(with_cache(dir));
  const Prepared p = second->prepare({scale_by(3)})[0];
  BOOST_TEST(p.ok(), p.error);
  BOOST_TEST(name_of(p.origin) == "compiled");
  check_launch(*second, 3);
  BOOST_TEST(!fs::is_empty(dir / "cache/v1/quarantine"));
}

BOOST_AUTO_TEST_CASE(without_a_compiler_caches_and_packs_serve) {
  const test::TempDir dir;
  const auto maker = runtime_with_scale(with_cache(dir));
  BOOST_REQUIRE(maker->prepare({scale_by(3)})[0].ok());
  DiskCache& cache = *maker->builder().disk();
  std::string why;
  write_pack(dir / "kernels.pack", {cache.read(cache.entries()[0], why)});

  Options from_pack;
  from_pack.search_path = "";
  from_pack.packs = {dir / "kernels.pack"};
  const auto packed = runtime_with_scale(from_pack);
  const auto out = packed->prepare({scale_by(3), scale_by(8)});
  BOOST_TEST(out[0].ok(), out[0].error);
  BOOST_TEST(name_of(out[0].origin) == "pack");
  check_launch(*packed, 3);
  BOOST_TEST(contains(out[1].error, "install g++ or clang++"), out[1].error);

  Options from_disk = with_cache(dir);
  from_disk.search_path = "";
  BOOST_TEST(name_of(runtime_with_scale(from_disk)->prepare({scale_by(3)})[0].origin) ==
             "disk cache");

  Options with_compiler;
  with_compiler.packs = {dir / "kernels.pack", dir / "absent.pack"};
  const test::Warnings silenced;
  BOOST_TEST(name_of(runtime_with_scale(with_compiler)->prepare({scale_by(3)})[0].origin) ==
             "pack");
}

BOOST_AUTO_TEST_CASE(unusable_caches_cost_one_warning_and_no_kernel) {
  const test::TempDir dir;
  std::ofstream(dir / "file") << "x";
  const test::Warnings warnings;
  Options options;
  options.cache.named = dir / "file";
  const auto runtime = runtime_with_scale(options);
  BOOST_TEST(runtime->prepare({scale_by(3)})[0].ok());
  BOOST_TEST(runtime->prepare({scale_by(5)})[0].ok());
  BOOST_TEST(warnings.count() == 1);
  BOOST_TEST(runtime->builder().disk() == nullptr);
}

BOOST_AUTO_TEST_CASE(events_and_dumps_show_what_happens) {
  const test::TempDir dir;
  Options options = with_cache(dir);
  options.dump_dir = dir / "dump";
  const auto runtime = runtime_with_scale(options);
  std::atomic<int> begun{0}, ended{0}, missed{0};
  runtime->set_events(
      {.on_miss = [&](const BuildRequest&, std::string_view why) { missed += why == "not found"; },
       .on_compile_begin = [&](const BuildRequest&) { ++begun; },
       .on_compile_end =
           [&](const BuildRequest& r, double s, std::string_view error) {
             ended += s > 0 && error.empty() && r.name == "scale";
           }});
  BOOST_REQUIRE(runtime->prepare({scale_by(3), scale_by(4)})[1].ok());
  BOOST_TEST(begun == 2);
  BOOST_TEST(ended == 2);
  BOOST_TEST(missed == 2);
  int programs = 0;
  for (const auto& folder : fs::directory_iterator(dir / "dump")) {
    BOOST_TEST(contains(folder.path().filename(), "scale-f32-"));
    programs += fs::exists(folder.path() / "texts/kernel.cpp") &&
                fs::exists(folder.path() / "kernel.so") &&
                read_file(folder.path() / "texts/acme/scale.h") == kText;
  }
  BOOST_TEST(programs == 2);
}

BOOST_AUTO_TEST_CASE(kernels_are_written_and_read) {
  for (const char* text :
       {"gemm<f32, f32>()", "reduce<bf16, f32>(1)", "x<>()", "acme/scale.v2<f32>(3, -4)"}) {
    const KernelRef kernel = parse_kernel(text);
    BOOST_TEST(to_string(kernel.spec, kernel.name) == text);
  }
  BOOST_TEST(
      (parse_kernel("gemm<f32,f32>").spec == KernelSpec("gemm", {DType::kF32, DType::kF32})));
  for (const char* text :
       {"", "<f32>", "a<f33>", "a<f32", "a(1", "a(x)", "a<f32>(1)b", "a<f32,f32,f32,f32,f32>"}) {
    BOOST_CHECK_THROW((void)parse_kernel(text), InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(built_in_kernels_have_a_definition_too) {
  Runtime runtime{};
  const KernelRef gemm = parse_kernel("gemm<f32, f32>()");
  const BuildRequest request = runtime.builder().request(gemm, {Backend::kHost, "avx2"});
  BOOST_TEST(request.texts->root == "eflow/kernels_src/gemm/gemm.h");
  BOOST_CHECK_THROW(runtime.define({"two words", "eflow/kernels_src/gemm/gemm.h", "gemm"}),
                    InvalidArgument);
  runtime.define({"own", "eflow/kernels_src/gemm/gemm.h", "gemm<$t0, $t0>"});
  BOOST_CHECK_THROW(runtime.define({"own", "eflow/kernels_src/gemm/gemm.h", "gemm<$t0, $t1>"}),
                    InvalidArgument);
}

BOOST_AUTO_TEST_CASE(a_folder_of_texts_replaces_built_in_kernels) {
  const test::TempDir dir;
  Options options = with_cache(dir);
  options.kernel_dir = dir / "texts";
  fs::create_directories(options.kernel_dir);
  const std::string ours = "eflow/kernels_src/loss.h", sum = "= highest + rest;";
  for (const TextFile& file : embedded_texts()) {
    if (file.path != ours) continue;
    std::string text = file.text;
    text.replace(text.find(sum), sum.size(), "= C(7);");
    std::ofstream(options.kernel_dir / "loss.h") << text;
  }
  const float logits[2] = {0, 0};
  const long long label = 0;
  float loss = 0, log_sum = 0;
  args::CrossEntropy a{};
  a.logits = logits;
  a.labels = &label;
  a.loss = &loss;
  a.log_sum = &log_sum;
  a.rows = a.rows_per_block = 1;
  a.classes = a.stride = 2;
  const KernelSpec spec("cross_entropy", {DType::kF32});
  Runtime(with_cache(dir)).launch("cross_entropy", spec, {1, 1, 1}, a);
  BOOST_TEST(log_sum == std::log(2.0f), boost::test_tools::tolerance(1e-6f));
  const Runtime changed(options);
  BOOST_TEST(!changed.has(spec));
  changed.launch("cross_entropy", spec, {1, 1, 1}, a);
  BOOST_TEST(log_sum == 7);
  BOOST_TEST(changed.has(KernelSpec("reduce", {DType::kF32, DType::kF32}, {0})));
}
