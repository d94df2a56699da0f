// Every built-in text compiles for every architecture, without a GPU, and errors look like those of
// the CPU back end. Skipped without NVRTC.
#define BOOST_TEST_MODULE nvrtc
#include "eflow/jit/cuda/nvrtc.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <future>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/arguments/argument_types.hpp"
#include "eflow/jit/cache/pack.hpp"
#include "eflow/jit/cuda/nvrtc_library.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/kernels_src/args/reduce.h"
#include "eflow/tests/support/cuda/nvrtc_or_skip.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using test::nvrtc;
using test::SkipWithoutNvrtc;
using namespace eflow::jit;

namespace {

BuildRequest request_for(std::string_view arch, const std::string& name, const std::string& text,
                         const std::string& program) {
  BuildRequest r;
  r.name = name;
  r.spec = KernelSpec(name, {});
  r.target = {Backend::kCuda, std::string(arch)};
  r.program = program;
  r.texts = KernelTexts().closure(text);
  r.toolchain = nvrtc().compiler->toolchain();
  r.options = nvrtc().compiler->options(r.target);
  return r;
}

using Entries = std::vector<const BuiltinEntry*>;

/// Combines the specialisations into one program, so that the front end parses the texts once.
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

/// Covers every built-in specialisation on one architecture, and every text on all of them.
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

/// Returns the PTX of a program on a text for a virtual architecture such as "compute_90a".
std::string ptx_of_program(const std::string& program, const std::string& text,
                           const std::string& arch) {
  std::string why;
  static const std::optional<NvrtcLibrary> library = open_nvrtc("", why);
  BOOST_REQUIRE_MESSAGE(library, why);
  const std::shared_ptr<const TextClosure> texts = KernelTexts().closure(text);
  std::vector<const char*> contents, names, options;
  for (const TextFile& file : texts->files) {
    contents.push_back(file.text.c_str());
    names.push_back(file.path.c_str());
  }
  const auto all = nvrtc().compiler->options({Backend::kCuda, arch});
  for (const std::string& option : all) options.push_back(option.c_str());
  NvrtcProgram made = nullptr;
  BOOST_REQUIRE(library->create(&made, program.c_str(), "kernel.cu", static_cast<int>(names.size()),
                                contents.data(), names.data()) == 0);
  std::size_t size = 0;
  std::string out;
  if (library->compile(made, static_cast<int>(options.size()), options.data()) == 0 &&
      library->ptx_size(made, &size) == 0) {
    out.resize(size);
    BOOST_TEST(library->ptx(made, out.data()) == 0);
  }
  library->destroy(&made);
  return out;
}

std::string ptx_of(const std::string& kernel, const std::string& arch) {
  KernelDefinitions definitions;
  define_kernels(definitions);
  const KernelSource source = definitions.source(parse_kernel(kernel));
  return ptx_of_program(make_program(Backend::kCuda, {kernel, source.text, source.expression,
                                                      source.threads, source.prologue}),
                        source.text, arch);
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
      BOOST_TEST(o.compiled.warnings == "", o.text);
      BOOST_TEST(r.spill_stores + r.spill_loads == 0,
                 o.text << " spills on " << o.arch << ": " << o.compiled.log);
      BOOST_TEST_MESSAGE(o.arch << ' ' << o.text << ": " << r.registers << " registers, "
                                << r.shared << " B shared, " << o.compiled.seconds << " s");
    }
  }
}

// The bulk_copies constant of the kernels that iterate over the window.
BOOST_AUTO_TEST_CASE(bulk_copies_are_the_copy_engines_on_sm_90a) {
  const std::string with = "glga_forward<bf16>(64, 1, 0, 0, 0, -1, 0, 64, 64, 1, 1)";
  const std::string without = "glga_forward<bf16>(64, 1, 0, 0, 0, -1, 0, 64, 64, 1, 0)";
  const auto has = [](const std::string& ptx, const char* part) {
    BOOST_REQUIRE(!ptx.empty());
    return ptx.find(part) != std::string::npos;
  };
  const std::string hopper = ptx_of(with, "compute_90a");
  for (const char* part :
       {"cp.async.bulk.tensor.5d.shared::cluster.global.mbarrier::complete_tx::bytes",
        "mbarrier.init", "fence.mbarrier_init", "mbarrier.expect_tx", "mbarrier.arrive",
        "mbarrier.try_wait.parity", "mbarrier.inval", "fence.proxy.async", "wgmma.mma_async"})
    BOOST_TEST(has(hopper, part), part);
  for (const std::string& plain : {ptx_of(without, "compute_90a"), ptx_of(with, "compute_80")}) {
    BOOST_TEST(!has(plain, "cp.async.bulk"));
    BOOST_TEST(!has(plain, "mbarrier"));
    BOOST_TEST(has(plain, "cp.async.cg"));
  }
}

BOOST_AUTO_TEST_CASE(images_have_the_types_of_the_arguments) {
  const std::string program = make_program(
      Backend::kCuda, {"reduce", "eflow/kernels_src/reduce.h", "reduce<float, float, false>"});
  const std::string expected = to_string(kArgumentTypes<args::Reduce>);
  BOOST_REQUIRE(expected != "unknown");
  for (const char* arch : {"sm_80", "sm_90a", "compute_80"}) {
    const BuildRequest r = request_for(arch, "reduce", "eflow/kernels_src/reduce.h", program);
    const Compiled made = nvrtc().compiler->compile(r, {});
    BOOST_TEST(to_string(argument_types_of(made.image)) == expected, arch);
    BOOST_TEST((made.image == made.ptx) == (r.target.arch == "compute_80"));
  }
}

// A pack with a cubin for sm_80 and PTX, on machines with other GPUs and without NVRTC for them.
BOOST_AUTO_TEST_CASE(ptx_of_a_pack_serves_gpus_that_it_has_no_cubin_for) {
  const test::TempDir dir;
  const KernelRef kernel{"reduce", KernelSpec("reduce", {DType::kF32, DType::kF32}, {0})};
  Options options;
  options.cache.named = dir / "cache";
  {
    KernelBuilder builder(options);
    std::vector<ArtifactPtr> made;
    for (const char* arch : {"sm_80", "compute_80"})
      made.push_back(builder.build(builder.request(kernel, {Backend::kCuda, arch}), {}).artifact);
    write_pack(dir / "gpu.pack", made);
  }
  options.cache.named = "";
  options.packs = {dir / "gpu.pack"};
  const auto image_for = [&](const char* arch, std::string& error) -> std::string {
    KernelBuilder builder(options);
    try {
      const Built built = builder.build(builder.request(kernel, {Backend::kCuda, arch}), {});
      BOOST_TEST(name_of(built.origin) == "pack");
      return built.artifact->image.substr(0, 4) ==
                     "\x7f"
                     "ELF"
                 ? "cubin"
                 : "ptx";
    } catch (const CompileError& e) {
      error = e.what();
      return "";
    }
  };
  std::string error;
  options.mode = JitMode::kForbid;
  BOOST_TEST(image_for("sm_80", error) == "cubin");
  BOOST_TEST(image_for("sm_90a", error) == "ptx");
  options.nvrtc = "/no/such/libnvrtc.so";
  BOOST_TEST(image_for("sm_80", error) == "cubin");
  BOOST_TEST(image_for("sm_120", error) == "ptx");
  BOOST_TEST(image_for("sm_75", error) == "");  // older than the PTX
  BOOST_TEST(error.find("is not in a pack or cache") != std::string::npos, error);
  // A GPU that NVRTC does not know.
  options.mode = JitMode::kOn;
  options.nvrtc = Options::from_environment().nvrtc;
  BOOST_TEST(image_for("sm_999", error) == "ptx");
}

BOOST_AUTO_TEST_CASE(a_function_is_compiled_once) {
  const std::string text = "eflow/kernels_src/softmax.h";
  const std::string ptx = ptx_of_program(
      make_program(Backend::kCuda, {"softmax", text, "softmax<float>"}), text, "compute_90a");
  BOOST_TEST(ptx.find(".visible .entry eflow_kernel") != std::string::npos);
  BOOST_TEST(ptx.find(".func") == std::string::npos);  // apart from the kernel that it is part of
}

// kernels_src/tile/runs.h
BOOST_AUTO_TEST_CASE(element_wise_kernels_access_16_bytes_at_a_time) {
  const std::string text = "eflow/kernels_src/elementwise.h";
  for (const char* types : {"bf16, bf16", "float, float"}) {
    const std::string expression = str("elementwise<", types, ", eflow::args::kAdd>");
    const std::string ptx = ptx_of_program(
        make_program(Backend::kCuda, {"elementwise", text, expression}), text, "compute_90a");
    BOOST_TEST(ptx.find("ld.global.v4") != std::string::npos, types);
    BOOST_TEST(ptx.find("st.global.v4") != std::string::npos, types);
  }
}

BOOST_AUTO_TEST_CASE(toolchain_names_the_build) {
  BOOST_TEST(nvrtc().compiler->toolchain().find("CL-") != std::string::npos,
             nvrtc().compiler->toolchain());
}

BOOST_AUTO_TEST_CASE(errors_name_text_line_and_specialisation) {
  KernelTexts texts;
  texts.add("acme/bad.h",
            "#include \"eflow/kernels_src/tile/pack.h\"\nnamespace EFLOW_TEXT {\nvoid bad(const "
            "Block&, const int&) "
            "{ x = 1; }\n}\n");
  BuildRequest r = request_for("sm_90a", "bad", "eflow/kernels_src/gemm/gemm.h",
                               make_program(Backend::kCuda, {"bad<>()", "acme/bad.h", "bad"}));
  r.texts = texts.closure("acme/bad.h");
  BOOST_CHECK_EXCEPTION((void)nvrtc().compiler->compile(r, {}), CompileError, [](const Error& e) {
    return std::string_view(e.what()).find("acme/bad.h(3)") != std::string_view::npos;
  });
  r.program =
      make_program(Backend::kCuda, {"bad<>()", "eflow/kernels_src/tile/base/types.h", "absent"});
  BOOST_CHECK_EXCEPTION((void)nvrtc().compiler->compile(r, {}), CompileError, [](const Error& e) {
    return std::string_view(e.what()).find("bad<>()(1)") != std::string_view::npos;
  });
  r.options = nvrtc().compiler->options({Backend::kCuda, "sm_11"});
  BOOST_CHECK_THROW((void)nvrtc().compiler->compile(r, {}), CompileError);
}

BOOST_AUTO_TEST_CASE(a_compile_ends_when_time_is_up_or_the_caller_stops) {
  const BuildRequest r = request_for(
      "sm_90a", "reduce", "eflow/kernels_src/reduce.h",
      make_program(Backend::kCuda,
                   {"reduce", "eflow/kernels_src/reduce.h", "reduce<float, float, false>"}));
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

BOOST_AUTO_TEST_CASE(warnings_are_told_from_the_assemblers_report) {
  const std::string report =
      "ptxas info    : 0 bytes gmem\n"
      "ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n";
  BOOST_TEST(parse_warnings(report) == "");
  const std::string warning =
      "acme/scale.h(6): warning #549-D: variable \"x\" is used before its value is set\n"
      "    store(y, i, x);\n";
  BOOST_TEST(parse_warnings(warning + "\nRemark: The warnings can be suppressed with ...\n\n" +
                            report) == warning);
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
