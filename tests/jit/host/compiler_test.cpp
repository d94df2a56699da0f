// The host compiler: its output, error messages, time-outs, excessive output, and machines without
// a compiler.
#define BOOST_TEST_MODULE compiler
#include "eflow/jit/kernel/compiler.hpp"

#include <dlfcn.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <map>
#include <thread>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/host/compiler.hpp"
#include "eflow/jit/host/subprocess.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/jit/kernel/request_check.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

constexpr const char* kText =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/pack.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "struct Scale { const float* x; float* y; long long n; float by; };\n"
    "template <class T, int kTimes>\n"
    "void scale(const Block&, const Scale& a) {\n"
    "  each<T>(0, a.n, [&](auto i) { store(a.y, i, load<T>(a.x, i) * (a.by * kTimes)); });\n"
    "}\n"
    "}\n";

BuildRequest request_for(const Compiler& compiler, const std::string& expression,
                         const std::string& text = kText) {
  KernelTexts texts;
  texts.add("acme/scale.h", text);
  BuildRequest r;
  r.name = "scale";
  r.spec = KernelSpec("scale", {DType::kF32}, {3});
  r.target = {Backend::kHost, std::string(name_of(usable_isas().back()))};
  const std::string title = to_string(r.spec, r.name);
  r.program = make_program(Backend::kHost, {title, "acme/scale.h", expression});
  r.texts = texts.closure("acme/scale.h");
  r.toolchain = compiler.toolchain();
  r.options = compiler.options(r.target);
  return r;
}

std::shared_ptr<const Compiler> host() {
  const FoundCompiler found = find_host_compiler({});
  BOOST_REQUIRE_MESSAGE(found, found.why);
  return found.compiler;
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const CompileError& e) {
    return e.what();
  }
  return "no CompileError";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

/// Writes an executable file with this content.
std::string script(const std::filesystem::path& path, const std::string& body) {
  std::ofstream(path) << "#!/bin/sh\n" << body;
  chmod(path.c_str(), 0755);
  return path.string();
}

/// Writes a program that claims to be g++ and then runs `body`.
FoundCompiler fake(const std::filesystem::path& path, const std::string& body) {
  return find_host_compiler(
      {.cxx = script(
           path, "if [ \"$1\" = -v ]; then echo gcc version 99.0; echo Target: none; exit 0; fi\n" +
                     body)});
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_text_compiles_loads_and_computes) {
  const auto compiler = host();
  const Compiled out = compiler->compile(request_for(*compiler, "scale<float, 3>"), {});
  const test::TempDir dir;
  std::ofstream(dir / "k.so", std::ios::binary) << out.image;
  void* handle = dlopen((dir / "k.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  BOOST_REQUIRE_MESSAGE(handle, dlerror());
  struct {
    const float* x;
    float* y;
    long long n;
    float by;
  } args{};
  std::vector<float> x(37), y(37);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  args = {x.data(), y.data(), 37, 0.5f};
  BOOST_TEST(*static_cast<unsigned long long*>(dlsym(handle, "eflow_args_bytes")) == sizeof args);
  const long long block[7] = {};
  reinterpret_cast<void (*)(const void*, const void*)>(dlsym(handle, "eflow_run"))(block, &args);
  for (std::size_t i = 0; i < x.size(); ++i) BOOST_TEST(y[i] == 1.5f * x[i]);
}

BOOST_AUTO_TEST_CASE(the_same_request_gives_the_same_bytes) {
  const auto compiler = host();
  const BuildRequest r = request_for(*compiler, "scale<float, 3>");
  BOOST_TEST((compiler->compile(r, {}).image == compiler->compile(r, {}).image));
}

BOOST_AUTO_TEST_CASE(errors_name_text_line_and_specialisation) {
  const auto compiler = host();
  const std::string wrong = std::string(kText) + "int broken = ;\n";
  const std::string in_text = message_of(
      [&] { (void)compiler->compile(request_for(*compiler, "scale<float, 3>", wrong), {}); });
  BOOST_TEST(contains(in_text, "acme/scale.h:10"), in_text);
  BOOST_TEST(contains(in_text, "scale<f32>(3) for "), in_text);
  BOOST_TEST(!contains(in_text, "eflow-jit-"), in_text);
  const std::string in_expression = message_of(
      [&] { (void)compiler->compile(request_for(*compiler, "scale<float, nonsense>"), {}); });
  BOOST_TEST(contains(in_expression, "scale<f32>(3):1"), in_expression);
}

BOOST_AUTO_TEST_CASE(nothing_of_the_machine_can_be_included) {
  const auto compiler = host();
  BuildRequest r = request_for(*compiler, "scale<float, 3>");
  r.program = "#include <stddef.h>\n" + r.program;
  BOOST_TEST(contains(message_of([&] { (void)compiler->compile(r, {}); }), "stddef.h"));
}

BOOST_AUTO_TEST_CASE(an_uninitialised_value_is_a_warning_at_its_own_line) {
  const auto compiler = host();
  const std::string text =
      "#include \"eflow/kernels_src/tile/pack.h\"\n"
      "namespace EFLOW_TEXT {\n"
      "struct Scale { const float* x; float* y; long long n; float by; };\n"
      "template <class T, int kTimes>\n"
      "void scale(const Block&, const Scale& a) {\n"
      "  T sum;\n"
      "  for (Index i = 0; i < a.n; ++i) sum += a.x[i];\n"
      "  a.y[0] = sum;\n"
      "}\n"
      "}\n";
  const Compiled out = compiler->compile(request_for(*compiler, "scale<float, 3>", text), {});
  BOOST_TEST(contains(out.warnings, "acme/scale.h:8"), out.warnings);
  BOOST_TEST(contains(out.warnings, "sum"), out.warnings);
  BOOST_TEST(contains(out.log, out.warnings));
  BOOST_TEST(compiler->compile(request_for(*compiler, "scale<float, 3>"), {}).warnings == "");
}

namespace {

/// A text with this body, in which `block` and `a` are the parameters.
std::string text_of(const std::string& body) {
  return "#include \"eflow/kernels_src/tile/matrix.h\"\n"
         "namespace EFLOW_TEXT {\n"
         "struct Scale { const float* x; float* y; long long n; float by; };\n"
         "template <class T>\n"
         "void scale([[maybe_unused]] const Block& block, [[maybe_unused]] const Scale& a) {\n" +
         body + "}\n}\n";
}

/// The error of compiling a text with this body.
std::string error_of(const std::string& body) {
  const auto compiler = host();
  return message_of(
      [&] { (void)compiler->compile(request_for(*compiler, "scale<float>", text_of(body)), {}); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(sums_that_do_not_fit_the_stack_are_refused) {
  const std::string together = error_of(
      "  Acc<T, 512, 512> s, t, u;\n"
      "  load(s, View<const T>{a.x, 512, 512, 512});\n"
      "  load(t, View<const T>{a.x + 1, 512, 512, 512});\n"
      "  load(u, View<const T>{a.x + 2, 512, 512, 512});\n"
      "  map(s, t, [](auto x, auto y) { return x * y; });\n"
      "  map(s, u, [](auto x, auto y) { return x * y; });\n"
      "  store(View<T>{a.y, 512, 512, 512}, s);\n");
  BOOST_TEST(contains(together, "acme/scale.h:"), together);
  BOOST_TEST(contains(together, "3145"), together);  // the bytes of the sums
  BOOST_TEST(contains(together, "it may use 2097152 B; use smaller tiles"), together);
  const std::string one = error_of("  Acc<T, 1024, 1024> s;\n  fill(s, T(0));\n");
  BOOST_TEST(contains(one, "SumsFit<4194304, 2097152>"), one);
  BOOST_TEST(contains(one, "acme/scale.h:6"), one);
}

BOOST_AUTO_TEST_CASE(operands_that_do_not_fit_together_are_refused_with_both_numbers) {
  const auto product = [](const char* name, const char* left, const char* right) {
    return error_of(str("  Arena arena(block);\n  const auto q = alloc<", left,
                        ">(arena);\n  const auto k = alloc<", right,
                        ">(arena);\n  Acc<T, 64, 64> s;\n  fill(s, T(0));\n  ", name,
                        "(s, q, k);\n"));
  };
  const std::string inner = product("mma_ABt", "T, 64, 32, Use::kLeft", "T, 64, 64, Use::kRightT");
  BOOST_TEST(contains(inner, "InnerSizes<32, 64>"), inner);
  BOOST_TEST(contains(inner, "acme/scale.h:11"), inner);
  BOOST_TEST(!contains(inner, "no matching function"), inner);
  BOOST_TEST(contains(product("set_AB", "T, 64, 32, Use::kLeft", "T, 48, 64, Use::kRight"),
                      "InnerSizes<32, 48>"));
  BOOST_TEST(contains(product("mma_AtB", "T, 16, 64, Use::kRight", "T, 32, 64, Use::kRight"),
                      "InnerSizes<16, 32>"));
  BOOST_TEST(contains(product("mma_AB", "T, 48, 32, Use::kLeft", "T, 32, 64, Use::kRight"),
                      "RowsOfSums<64, 48>"));
  BOOST_TEST(contains(product("mma_AB", "T, 64, 32, Use::kLeft", "T, 32, 80, Use::kRight"),
                      "ColumnsOfSums<64, 80>"));
  BOOST_TEST(contains(product("mma_AB", "T, 64, 64, Use::kLeft", "T, 64, 64, Use::kRightT"),
                      "an operand's Use does not suit the product"));
  BOOST_TEST(contains(product("mma_AB", "T, 64, 64, Use::kLeft", "double, 64, 64, Use::kRight"),
                      "have the same element type"));
  BOOST_TEST(contains(product("mma_AB", "u16, 64, 64, Use::kLeft", "u16, 64, 64, Use::kRight"),
                      "the elements of a tile are float, double, bf16, f16 or i8"));
  BOOST_TEST(contains(error_of("  const auto x = exp(load<i32>(\n"
                               "      reinterpret_cast<const i32*>(a.x), FullLanes<i32>{0}));\n"
                               "  a.y[0] = static_cast<float>(x[0]);\n"),
                      "an elementary function takes f32 or f64"));
}

namespace {

/// One specialisation of every text of the library.
const std::vector<std::pair<std::string, std::string>>& all_texts() {
  static const auto texts = [] {
    const std::string form = "GlgaForm<64, 1, 2, 3, 1, 96, 25, 32, 32>>";
    std::map<std::string, std::string> first;
    for (const auto& [spec, entry] : builtin_index(Isa::kBaseline)) {
      std::string& expression = first[entry->file];
      if (expression.empty() || std::string_view(entry->expression) < expression)
        expression = entry->expression;
    }
    for (const char* name : {"forward", "rows_grad", "queries_grad", "keys_grad", "band_grad"})
      first[str("eflow/kernels_src/glga/", name, ".h")] = str("glga_", name, "<bf16, ", form);
    first["eflow/kernels_src/glga/state.h"] = "glga_state<bf16, 64, 64>";
    return std::vector<std::pair<std::string, std::string>>(first.begin(), first.end());
  }();
  return texts;
}

}  // namespace

// With every compiler of this machine: a compiler that cannot compile our texts must not be found.
BOOST_AUTO_TEST_CASE(our_texts_compile_without_warnings) {
  for (const char* cxx : {"g++", "clang++"}) {
    const FoundCompiler found = find_host_compiler({.cxx = cxx});
    if (!found) {
      BOOST_TEST_MESSAGE(found.why);
      continue;
    }
    for (const auto& [text, expression] : all_texts()) {
      BuildRequest r = request_for(*found.compiler, "unused");
      r.texts = KernelTexts().closure(text);
      r.program = make_program(Backend::kHost, {expression, text, expression});
      BOOST_TEST_CONTEXT(cxx << ", " << expression) {
        BOOST_CHECK_NO_THROW(BOOST_TEST(found.compiler->compile(r, {}).warnings == ""));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_compiler_that_hangs_is_killed_with_its_children) {
  const test::TempDir dir;
  const auto found =
      fake(dir / "slow", "sleep 60 & echo $! > " + (dir / "child").string() + "; wait\n");
  BOOST_REQUIRE_MESSAGE(found, found.why);
  const BuildRequest r = request_for(*found.compiler, "scale<float, 3>");
  const std::string late = message_of([&] {
    (void)found.compiler->compile(r, {.timeout = std::chrono::milliseconds(300), .stop = {}});
  });
  BOOST_TEST(contains(late, "did not compile within 0.3 s"), late);
  pid_t child = 0;
  std::ifstream(dir / "child") >> child;
  BOOST_REQUIRE(child > 0);
  for (int i = 0; i < 100 && kill(child, 0) == 0; ++i) {
    // A killed orphan may remain a zombie until its new parent reaps it.
    std::string stat;
    std::getline(std::ifstream("/proc/" + std::to_string(child) + "/stat"), stat);
    if (contains(stat, ") Z")) break;
    BOOST_TEST(i < 99);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }

  std::stop_source stop;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    stop.request_stop();
  });
  BOOST_TEST(
      contains(message_of([&] { (void)found.compiler->compile(r, {.stop = stop.get_token()}); }),
               "was stopped"));
}

BOOST_AUTO_TEST_CASE(a_flood_of_output_is_cut) {
  const test::TempDir dir;
  const auto found = fake(dir / "loud", "head -c 1048576 /dev/zero | tr '\\0' x; exit 3\n");
  BOOST_REQUIRE_MESSAGE(found, found.why);
  const std::string text = message_of(
      [&] { (void)found.compiler->compile(request_for(*found.compiler, "scale<float, 3>"), {}); });
  BOOST_TEST(contains(text, "exit code 3"), text.substr(0, 300));
  BOOST_TEST(contains(text, "more bytes"));
  BOOST_TEST(text.size() < 20000u);
}

BOOST_AUTO_TEST_CASE(an_exit_before_the_last_output_keeps_its_code) {
  const test::TempDir dir;
  const auto found = fake(dir / "late", "(sleep 0.3; echo late) & exit 3\n");
  BOOST_REQUIRE_MESSAGE(found, found.why);
  const std::string text = message_of(
      [&] { (void)found.compiler->compile(request_for(*found.compiler, "scale<float, 3>"), {}); });
  BOOST_TEST(contains(text, "exit code 3"), text);
  BOOST_TEST(contains(text, "late"), text);
}

BOOST_AUTO_TEST_CASE(a_compiler_that_writes_nothing_is_an_error) {
  const test::TempDir dir;
  const auto found = fake(dir / "idle", "exit 0\n");
  BOOST_REQUIRE_MESSAGE(found, found.why);
  BOOST_TEST(contains(message_of([&] {
                        (void)found.compiler->compile(
                            request_for(*found.compiler, "scale<float, 3>"), {});
                      }),
                      "does not compile (exit code 0)"));
}

BOOST_AUTO_TEST_CASE(no_compiler_is_a_value) {
  const FoundCompiler none = find_host_compiler({.cxx = "", .search_path = ""});
  BOOST_TEST(!none);
  BOOST_TEST(contains(none.why, "install g++ or clang++"), none.why);
  const FoundCompiler other = find_host_compiler({.cxx = "/bin/true"});
  BOOST_TEST(!other);
  BOOST_TEST(contains(other.why, "/bin/true does not answer"), other.why);
  BOOST_TEST(!find_host_compiler({.cxx = "/no/such/g++"}));
}

BOOST_AUTO_TEST_CASE(a_compiler_that_cannot_be_started_now_is_not_replaced) {
  rlimit files{};
  BOOST_REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  const rlimit none{0, files.rlim_max};
  const auto set = [](const rlimit& limit) { return setrlimit(RLIMIT_NOFILE, &limit); };
  BOOST_REQUIRE(set(none) == 0);
  const std::string error = message_of([] { (void)find_host_compiler({}); });
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    set(files);
  });
  const FoundCompiler found = find_host_compiler({});
  later.join();
  BOOST_TEST(contains(error, "g++ cannot be started now: "), error);
  BOOST_TEST(contains(error, "ulimit -n"), error);
  BOOST_TEST(static_cast<bool>(found), found.why);
}

BOOST_AUTO_TEST_CASE(an_orphan_that_keeps_the_pipe_is_not_awaited) {
  const test::TempDir dir;
  const auto found = fake(dir / "forks", "setsid sleep 60 & exit 3\n");
  BOOST_REQUIRE_MESSAGE(found, found.why);
  const BuildRequest r = request_for(*found.compiler, "scale<float, 3>");
  const auto begin = std::chrono::steady_clock::now();
  BOOST_TEST(contains(message_of([&] { (void)found.compiler->compile(r, {}); }), "exit code 3"));
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(30)));
}

BOOST_AUTO_TEST_CASE(a_caller_can_cancel) {
  const test::TempDir dir;
  const auto found = fake(dir / "slow", "sleep 60\n");
  BOOST_REQUIRE_MESSAGE(found, found.why);
  int asked = 0;
  CompileLimits limits;
  limits.cancelled = [&] { return ++asked > 5; };
  const BuildRequest r = request_for(*found.compiler, "scale<float, 3>");
  BOOST_TEST(
      contains(message_of([&] { (void)found.compiler->compile(r, limits); }), "was stopped"));
}

BOOST_AUTO_TEST_CASE(scratch_of_killed_processes_is_removed) {
  namespace fs = std::filesystem;
  const test::TempDir dir;
  const ScratchDirectory alive(dir.path());
  const pid_t child = fork();
  if (child == 0) {
    const ScratchDirectory scratch(dir.path());
    std::ofstream(scratch.path() / "kernel.cpp") << "x";
    kill(getpid(), SIGKILL);
  }
  waitpid(child, nullptr, 0);
  fs::create_directory(dir / "eflow-jit-young0");  // before its owner locks it
  fs::create_directory(dir / "eflow-jit-notes-of-mine");
  const auto entries = [&] { return std::distance(fs::directory_iterator(dir.path()), {}); };
  BOOST_TEST(entries() == 4);
  const ScratchDirectory next(dir.path());
  BOOST_TEST(entries() == 4);  // the killed one is gone
  BOOST_TEST(fs::exists(alive.path()));
  BOOST_TEST(fs::exists(dir / "eflow-jit-young0"));
}

BOOST_AUTO_TEST_CASE(a_request_of_somebody_else_runs_and_writes_nothing_of_his_choice) {
  const auto compiler = host();
  const BuildRequest good = request_for(*compiler, "scale<float, 3>");
  check_foreign(good);
  for (const std::string& option : good.options)
    BOOST_TEST(is_known_option(Backend::kHost, option));
  for (const char* option : {"-wrapper",
                             "sh,-c,touch x",
                             "-B/tmp",
                             "-fplugin=/tmp/x.so",
                             "-specs=/tmp/x",
                             "@/tmp/x",
                             "-o/tmp/x",
                             "-o",
                             "/tmp/x",
                             "-include",
                             "-I/etc",
                             "-dumpbase",
                             "-save-temps",
                             "-MD",
                             "-MF/tmp/x",
                             "-fdump-tree-all",
                             "-mllvm",
                             "-Wl,-rpath,/tmp",
                             "-Xlinker",
                             "-march=x,y",
                             "",
                             "-fuse-ld=/tmp/x",
                             "-fprofile-generate=/tmp",
                             "-std=",
                             "-x"}) {
    BuildRequest bad = good;
    bad.options.emplace_back(option);
    if (std::string_view(option) == "-std=") continue;  // an empty word is harmless
    BOOST_CHECK_THROW((void)compiler->compile(bad, {}), InvalidArgument);
  }
  for (const char* path : {"../x.h", "/tmp/x.h", "a/../../x.h", "a//x.h", "./x.h", ""}) {
    BuildRequest bad = good;
    TextClosure texts = *good.texts;
    texts.files.push_back({path, "x"});
    bad.texts = std::make_shared<TextClosure>(texts);
    BOOST_CHECK_THROW((void)compiler->compile(bad, {}), InvalidArgument);
  }
  BuildRequest reads = good;
  reads.program = "#include \"/etc/passwd\"\n" + reads.program;
  BOOST_CHECK_THROW(check_foreign(reads), CompileError);
}
