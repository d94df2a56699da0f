// Every built-in text compiles for every architecture, without a GPU; errors read like those of the
// CPU back end. Skipped where there is no NVRTC.
#define BOOST_TEST_MODULE nvrtc
#include "eflow/jit/nvrtc.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <future>
#include <iostream>
#include <map>

#include "eflow/base/error.hpp"
#include "eflow/jit/builtin.hpp"
#include "eflow/jit/kernel_definitions.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

FoundCompiler& nvrtc() {
  static FoundCompiler found = find_nvrtc("");
  return found;
}

struct SkipWithoutNvrtc {
  SkipWithoutNvrtc() {
    if (nvrtc()) return;
    std::cout << "skipped: " << nvrtc().why << '\n';
    std::exit(77);
  }
};

BuildRequest request_for(std::string_view arch, const std::string& name, const std::string& text,
                         const std::string& program) {
  BuildRequest r;
  r.name = name;
  r.spec = Spec(name, {});
  r.target = {Backend::kCuda, std::string(arch)};
  r.program = program;
  r.texts = KernelTexts().closure(text);
  r.toolchain = nvrtc().compiler->toolchain();
  r.options = nvrtc().compiler->options(r.target);
  return r;
}

using Entries = std::vector<const BuiltinEntry*>;

/// The specialisations as kernels of one program, which shares the front end's work.
std::string program_of(const Entries& entries) {
  std::string program =
      make_program(Backend::kCuda, {"first", entries[0]->file, entries[0]->expression});
  for (std::size_t i = 1; i < entries.size(); ++i) {
    program +=
        str("namespace EFLOW_TEXT { inline constexpr auto entry", i, " = &", entries[i]->expression,
            "; }\nusing Types", i, " = decltype(eflow_types(EFLOW_TEXT::entry", i, "));\n",
            "extern \"C\" __global__ void __launch_bounds__(256, 1)\nkernel", i,
            "(const __grid_constant__ Types", i, "::A args) {\n", "  const Types", i,
            "::B block{blockIdx.x, 0, 0, gridDim.x, 1, 1, nullptr};\n  EFLOW_TEXT::entry", i,
            "(block, args);\n}\n");
  }
  return program;
}

/// Every built-in specialisation meets one architecture, and every text all of them.
std::map<std::string, Entries> share_of(std::size_t turn) {
  std::map<std::string, Entries> texts;
  for (const auto& [spec, entry] : builtin_index(Isa::kBaseline)) {
    texts[entry->file].push_back(entry);
  }
  for (auto& [text, entries] : texts) {
    std::sort(entries.begin(), entries.end(), [](auto* a, auto* b) {
      return std::string_view(a->expression) < std::string_view(b->expression);
    });
    Entries share;
    for (std::size_t i = turn % entries.size(); i < entries.size(); i += std::size(kDefaultArchs)) {
      share.push_back(entries[i]);
    }
    entries = std::move(share);
  }
  return texts;
}

struct Outcome {
  std::string text, arch;
  Compiled compiled;
};

std::vector<Outcome> compile_share(std::size_t turn) {
  std::vector<Outcome> out;
  const std::string arch(kDefaultArchs[turn]);
  for (const auto& [text, entries] : share_of(turn)) {
    out.push_back(
        {text, arch,
         nvrtc().compiler->compile(request_for(arch, text, text, program_of(entries)), {})});
  }
  return out;
}

}  // namespace

BOOST_TEST_GLOBAL_FIXTURE(SkipWithoutNvrtc);

BOOST_AUTO_TEST_CASE(built_in_texts_compile) {
  (void)nvrtc();
  std::vector<std::future<std::vector<Outcome>>> all;
  for (std::size_t turn = 0; turn < std::size(kDefaultArchs); ++turn) {
    all.push_back(std::async(std::launch::async, compile_share, turn));
  }
  for (auto& share : all) {
    for (const Outcome& o : share.get()) {
      const Resources& r = o.compiled.resources;
      BOOST_TEST(o.compiled.image.starts_with("\x7f"
                                              "ELF"),
                 o.text);
      BOOST_TEST(r.registers > 0, o.text);
      BOOST_TEST(r.spill_stores + r.spill_loads == 0,
                 o.text << " spills on " << o.arch << ": " << o.compiled.log);
      BOOST_TEST_MESSAGE(o.arch << ' ' << o.text << ": " << r.registers << " registers, "
                                << r.shared << " B shared, " << o.compiled.seconds << " s");
    }
  }
}

BOOST_AUTO_TEST_CASE(toolchain_names_the_build) {
  BOOST_TEST(nvrtc().compiler->toolchain().find("CL-") != std::string::npos,
             nvrtc().compiler->toolchain());
}

BOOST_AUTO_TEST_CASE(errors_name_text_line_and_specialisation) {
  KernelTexts texts;
  texts.add("acme/bad.h",
            "#include \"tile/pack.h\"\nnamespace EFLOW_TEXT {\nvoid bad(const Block&, const int&) "
            "{ x = 1; }\n}\n");
  BuildRequest r = request_for("sm_90a", "bad", "gemm.h",
                               make_program(Backend::kCuda, {"bad<>()", "acme/bad.h", "bad"}));
  r.texts = texts.closure("acme/bad.h");
  BOOST_CHECK_EXCEPTION((void)nvrtc().compiler->compile(r, {}), CompileError, [](const Error& e) {
    return std::string_view(e.what()).find("acme/bad.h(3)") != std::string_view::npos;
  });
  r.program = make_program(Backend::kCuda, {"bad<>()", "tile/types.h", "absent"});
  BOOST_CHECK_EXCEPTION((void)nvrtc().compiler->compile(r, {}), CompileError, [](const Error& e) {
    return std::string_view(e.what()).find("bad<>()(1)") != std::string_view::npos;
  });
  r.options = nvrtc().compiler->options({Backend::kCuda, "sm_11"});
  BOOST_CHECK_THROW((void)nvrtc().compiler->compile(r, {}), CompileError);
}

BOOST_AUTO_TEST_CASE(a_compile_ends_when_time_is_up_or_the_caller_stops) {
  const BuildRequest r = request_for(
      "sm_90a", "reduce", "reduce.h",
      make_program(Backend::kCuda, {"reduce", "reduce.h", "reduce<float, float, false>"}));
  const auto says = [](std::string_view part) {
    return [part](const Error& e) {
      return std::string_view(e.what()).find(part) != std::string_view::npos;
    };
  };
  BOOST_CHECK_EXCEPTION(
      (void)nvrtc().compiler->compile(r, {.timeout = std::chrono::milliseconds(0), .stop = {}}),
      CompileError, says("did not compile in time"));
  std::stop_source stop;
  stop.request_stop();
  BOOST_CHECK_EXCEPTION((void)nvrtc().compiler->compile(r, {.stop = stop.get_token()}),
                        CompileError, says("was stopped"));
}

BOOST_AUTO_TEST_CASE(a_missing_library_is_a_value) {
  const FoundCompiler none = find_nvrtc("/no/such/libnvrtc.so");
  BOOST_TEST(!none);
  BOOST_TEST(none.why.find("EFLOW_NVRTC") != std::string::npos, none.why);
}

BOOST_AUTO_TEST_CASE(the_assemblers_report_is_read) {
  const Resources r = parse_resources(
      "ptxas info    : Compiling entry function 'k' for 'sm_90a'\n"
      "ptxas         .     56 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads\n"
      "ptxas info    : Used 32 registers, used 1 barriers, 512 bytes smem\n"
      "ptxas info    : Used 14 registers, used 0 barriers\n");
  BOOST_TEST(r.registers == 32);
  BOOST_TEST(r.spill_stores == 8);
  BOOST_TEST(r.spill_loads == 12);
  BOOST_TEST(r.stack == 56);
  BOOST_TEST(r.shared == 512);
}
