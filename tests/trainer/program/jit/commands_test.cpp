// eflow jit: every command, on a temporary cache, with the host compiler and, if available, NVRTC.
#define BOOST_TEST_MODULE commands
#include "eflow/trainer/program/jit/commands.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "eflow/core/attention/glga_shared_memory.hpp"
#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/cache/disk_cache.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace fs = std::filesystem;

namespace {

ConfigSpace space_of(std::string_view kernel) {
  KernelDefinitions definitions;
  define_kernels(definitions);
  return definitions.space(kernel);
}

struct Session {
  test::TempDir dir;
  Options options;
  Session() {
    options.cache.named = dir / "cache";
    options.isa = Isa::kBaseline;
  }

  std::string run(const std::vector<std::string>& args, int expected = 0) {
    std::ostringstream out;
    BOOST_TEST(run_jit_command(args, out, options, kernels, lists) == expected, out.str());
    return out.str();
  }
  KernelLists lists;
  std::vector<TunableKernel> kernels;
};

/// y = sum over a window of x. The window is a constant of the KernelSpec or, if that is 0, an
/// argument. The tunable has no effect.
constexpr const char* kWindowText =
    "#pragma once\n"
    "#include \"eflow/kernels_src/tile/pack.h\"\n"
    "namespace EFLOW_TEXT {\n"
    "struct Window { const float* x; float* y; long long n, window; };\n"
    "template <int kWindow, int kStep>\n"
    "void window(const Block&, const Window& a) {\n"
    "  const Index width = kWindow == 0 ? a.window : kWindow;\n"
    "  for (Index i = 0; i + width <= a.n; ++i) {\n"
    "    float sum = 0;\n"
    "    for (Index j = 0; j < width; ++j) sum += a.x[i + j];\n"
    "    a.y[i] = sum;\n"
    "  }\n"
    "}\n"
    "}\n";

struct Window {
  const float* x;
  float* y;
  long long n, window;
};

TunableKernel window_kernel(const std::filesystem::path& texts) {
  std::ofstream(texts / "window.h") << kWindowText;
  TunableKernel out;
  out.definition = {.name = "window",
                    .text = "window.h",
                    .expression = "window<$c0, $c1>",
                    .space = {.tunables = {{"step", 1, {1, 2}}}, .fits = {}},
                    .shared_bytes = {}};
  out.sizes = {{"n", 1000}, {"window", 8}};
  out.workload = [](Runtime& runtime, const KernelSpec&, const std::vector<std::int64_t>& sizes) {
    const auto n = static_cast<std::size_t>(sizes[0]);
    const auto x = std::make_shared<std::vector<float>>(n, 1.0f);
    const auto y = std::make_shared<std::vector<float>>(n);
    Workload w{
        .shape = {sizes[0], sizes[1]},
        .flops = static_cast<double>(sizes[0] * sizes[1]),
        .launch =
            [&runtime, x, y, sizes](const KernelSpec& spec) {
              runtime.launch("window", spec, {}, Window{x->data(), y->data(), sizes[0], sizes[1]});
            },
        .clear = {},
        .result = {}};
    use_host_output(w, y);
    return w;
  };
  return out;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(doctor_says_what_is_there_and_what_is_missing) {
  Session s;
  const std::string well = s.run({"doctor"});
  for (const char* part :
       {"cpu ", "host compiler", "compiles in", "nvrtc", "gpu", "cublaslt", "nccl", "disk cache"}) {
    BOOST_TEST(contains(well, part), well);
  }
  s.options.search_path = "";
  s.options.nvrtc = s.options.cublas_library = s.options.nccl_library = "/no/such/library";
  s.options.cache.named = "";
  const std::string ill = s.run({"doctor"}, 1);
  for (const char* part : {"install g++ or clang++", "cost: kernels specialised at run time",
                           "EFLOW_NVRTC", "EFLOW_CUBLASLT", "cost: matrix products", "EFLOW_NCCL",
                           "cost: several GPUs", "cost: every run compiles"}) {
    BOOST_TEST(contains(ill, part), ill);
  }
}

BOOST_AUTO_TEST_CASE(a_kernels_way_through_the_cache) {
  Session s;
  BOOST_TEST(contains(s.run({"why", "reduce<f32, f32>(1)"}), "The cache is empty"));
  BOOST_TEST(contains(s.run({"compile", "reduce<f32, f32>(1)"}), "compiled"));
  BOOST_TEST(
      contains(s.run({"compile", "reduce<f32, f32>(1)", "--dump", s.dir / "dump"}), "disk cache"));
  BOOST_TEST(fs::exists(fs::directory_iterator(s.dir / "dump")->path() / "kernel.so"));
  BOOST_TEST(contains(s.run({"why", "reduce<f32, f32>(1)"}), "is cached"));
  const std::string why = s.run({"why", "reduce<f32, f32>(0)", "--arch=avx2"});
  BOOST_TEST(contains(why, "specialisation: wanted reduce<f32, f32>(), cached reduce<f32, f32>(1)"),
             why);
  BOOST_TEST(contains(why, "target: wanted avx2, cached baseline"), why);

  const std::string list = s.run({"ls"});
  BOOST_TEST(contains(list, "reduce<f32, f32>(1) for baseline"), list);
  BOOST_TEST(contains(list, "1 kernels"), list);
  const std::string key = list.substr(0, 12);
  BOOST_TEST(contains(s.run({"show", key}), "from eflow/kernels_src/reduce.h"));
  const std::string folder = s.run({"dump", key, "--to", s.dir / "again"});
  BOOST_TEST(
      contains(read_file(fs::path(folder.substr(0, folder.size() - 1)) / "request.txt"), key));
  BOOST_CHECK_THROW(s.run({"show", "zzz"}), InvalidArgument);

  BOOST_TEST(contains(s.run({"verify"}), "1 valid, 0 corrupt"));
  BOOST_TEST(contains(s.run({"pack", s.dir / "all.pack"}), "1 kernels"));
  BOOST_TEST(contains(s.run({"pack", s.dir / "none.pack", "--arch", "sm_80"}), "0 kernels"));
  s.options.packs = {s.dir / "all.pack"};
  BOOST_TEST(contains(s.run({"verify"}), "2 valid, 0 corrupt"));

  std::string why_unsound;
  const auto cache = DiskCache::open({.root = s.dir / "cache"}, why_unsound);
  std::ofstream(cache->entries()[0].path, std::ios::app) << "x";
  BOOST_TEST(contains(s.run({"verify"}, 1), "1 valid, 1 corrupt"));
  BOOST_TEST(contains(s.run({"ls"}), "corrupt"));
  BOOST_TEST(contains(s.run({"gc", "--max-mb", "0"}), "remain"));
}

BOOST_AUTO_TEST_CASE(prepare_takes_words_and_lists) {
  Session s;
  std::ofstream(s.dir / "list")
      << "# kernels\nreduce<f32, f32>(1)   # a sum\n\nlerp_nonsense<f32>()\n";
  const std::string out = s.run({"prepare", "reduce<f32, f32>()", "--list", s.dir / "list"}, 1);
  BOOST_TEST(contains(out, "3 kernels for baseline"), out);
  BOOST_TEST(contains(out, "2 compiled, 0 found, 1 failed"), out);
  BOOST_TEST(contains(out, "no kernel is called lerp_nonsense"), out);
  BOOST_TEST(contains(s.run({"prepare"}), "Nothing to do"));

  s.lists["two"] = [](Backend backend) {
    BOOST_TEST((backend == Backend::kHost));
    return std::vector<KernelRef>{parse_kernel("reduce<f32, f32>()"),
                                  parse_kernel("reduce<f32, f32>(1)")};
  };
  const std::string named =
      s.run({"prepare", "--list", "two", "--arch", "baseline,avx2", "--report", s.dir / "report"});
  BOOST_TEST(contains(named, "4 kernels for baseline avx2"), named);
  BOOST_TEST(contains(named, "2 compiled, 2 found, 0 failed"), named);
  const std::string report = read_file(s.dir / "report");
  for (const char* part : {"4 kernels, 0 of which spill registers", "| baseline | avx2 |",
                           "| reduce.h, 2 kernels | 0 |", "| avx2 |"}) {
    BOOST_TEST(contains(report, part), report);
  }
}

BOOST_AUTO_TEST_CASE(gpu_kernels_are_built_without_a_gpu) {
  Session s;
  if (!find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  const std::string out = s.run({"compile", "reduce<bf16, f32>(1)", "--arch", "sm_90a"});
  BOOST_TEST(contains(out, "registers, no spills"), out);
  BOOST_TEST(contains(s.run({"show", out.substr(0, 12)}), "ptxas info"));
}

// The warpgroups constant selects another kernel on sm_90a only.
BOOST_AUTO_TEST_CASE(warpgroups_are_a_config_of_one_gpu) {
  const KernelSpec by_warps("glga_forward", {DType::kBF16}, {64, 2, 0, 0, 0, -1, 0, 64, 64});
  KernelSpec by_groups = by_warps;
  by_groups.constants[eflow::detail::GlgaConstant::kWarpgroups] = 1;
  const ConfigSpace space = space_of("glga_forward");
  const auto fits = [&](KernelSpec spec, const char* arch) {
    return space.fits(spec, {.name = "", .arch = arch, .block_bytes = 200 << 10});
  };
  BOOST_TEST(fits(by_warps, "sm_100"));
  BOOST_TEST(!fits(by_groups, "sm_100"));
  BOOST_TEST(fits(by_groups, "sm_90a"));
  by_groups.constants[eflow::detail::GlgaConstant::kRows] = 32;
  BOOST_TEST(!fits(by_groups, "sm_90a"));  // half a warpgroup of rows
  by_groups.constants[eflow::detail::GlgaConstant::kRows] = 64;
  if (!find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  Session s;
  const auto image = [&](const KernelSpec& spec, const char* arch) {
    const std::string line = s.run({"compile", to_string(spec, "glga_forward"), "--arch", arch});
    BOOST_TEST(contains(line, "registers, no spills"), line);
    const std::string folder = s.run({"dump", line.substr(0, 12), "--to", s.dir / "images"});
    return read_file(fs::path(folder.substr(0, folder.size() - 1)) / "kernel.cubin").size();
  };
  BOOST_TEST(image(by_warps, "sm_90a") != image(by_groups, "sm_90a"));
  BOOST_TEST(image(by_warps, "sm_80") == image(by_groups, "sm_80"));
}

// The bulk_copies constant, for the kernels that iterate over the window.
BOOST_AUTO_TEST_CASE(bulk_copies_are_a_config_of_one_gpu) {
  Session s;
  const bool compiles = static_cast<bool>(find_nvrtc(""));
  for (const char* line : {"glga_forward<bf16>(64, 1, 1, 1, 1, -1, 0, 64, 64, 1, 1)",
                           "glga_forward<bf16>(128, 1, 1, 1, 1, -1, 25, 64, 64, 1, 1)",
                           "glga_queries_grad<bf16>(96, 1, 1, 0, 0, -1, 0, 64, 64, 1, 1)",
                           "glga_keys_grad<bf16>(64, 1, 1, 0, 0, -1, 0, 64, 64, 1, 1)",
                           "glga_forward<f32>(64, 1, 1, 1, 1, -1, 0, 64, 32, 0, 1)"}) {
    const KernelRef kernel = parse_kernel(line);
    const auto fits = [&](const char* arch) {
      const ConfigSpace space = space_of(kernel.name);
      return space.contains(kernel.spec, {.name = "", .arch = arch, .block_bytes = 227 << 10});
    };
    BOOST_TEST(fits("sm_90a"), line);
    BOOST_TEST(!fits("sm_80"), line);
    BOOST_TEST(!fits("sm_120"), line);
    BOOST_TEST(!fits("avx512"), line);
    if (!compiles) continue;
    const std::string said = s.run({"compile", line, "--arch", "sm_90a"});
    BOOST_TEST(contains(said, "registers, no spills"), said);
  }
  BOOST_TEST_MESSAGE((compiles ? "compiled" : "not compiled: no NVRTC"));
}

BOOST_AUTO_TEST_CASE(kernels_are_timed_tuned_and_handed_on) {
  Session s;
  s.options.kernel_dir = s.dir.path();
  s.options.threads = 1;
  s.kernels = {window_kernel(s.dir.path())};
  const std::string two = s.run({"bench", "window<>(8, 1)", "window<>(0, 1)", "--sizes",
                                 "n=5000,window=8", "--budget-s", "1"});
  for (const char* part : {"A  window<>(8, 1)", "B  window<>(0, 1)", "GFLOP/s",
                           "Their results differ by at most 0 of"}) {
    BOOST_TEST(contains(two, part), two);
  }
  BOOST_TEST((contains(two, "less time than B") || contains(two, "No gain")), two);
  // Comparing a kernel with itself must find no gain, unless the machine interferes.
  BOOST_TEST(contains(s.run({"bench", "window<>(8, 1)", "--budget-s=0.2"}), "A  window<>(8, 1)"));
  const std::string costs = s.run({"bench"});
  for (const char* part : {"disk cache", "lookup of a prepared kernel", "ns", "launch of one"})
    BOOST_TEST(contains(costs, part), costs);

  const std::string tuned = s.run({"tune", "run", "window<>(8)", "--budget-s", "30"});
  BOOST_TEST(contains(tuned, "compiling 2 configs"), tuned);
  BOOST_TEST(contains(tuned, "* step="), tuned);
  BOOST_TEST(contains(s.run({"tune", "run", "window<>(8)"}), "--again yes measures again"));
  BOOST_TEST(contains(s.run({"tune", "show"}), "1 records"));
  BOOST_TEST(contains(s.run({"tune", "export", s.dir / "t.json"}), "1 records"));
  BOOST_TEST(contains(s.run({"tune", "import", s.dir / "t.json"}), "1 records imported"));
  const std::string packed = s.run({"tune", "export", "--pack", s.dir / "t.pack", "--arch=avx2"});
  BOOST_TEST(contains(packed, "1 records, 2 kernels and 0 as PTX in "), packed);
  BOOST_TEST(contains(s.run({"tune", "import", s.dir / "t.pack"}), "1 records imported"));
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{"tune"},
                                             {"tune", "run"},
                                             {"tune", "nonsense"},
                                             {"tune", "run", "gemm"},
                                             {"tune", "run", "window<>(8)", "--sizes", "m=3"},
                                             {"bench", "nothing<>(1)"},
                                             {"tune", "run", "window<>(8)", "--sizes", "n=x"},
                                             {"tune", "run", "window<>(8)", "--pack", "x"},
                                             {"tune", "export", "x", "--arch", "sm_80"},
                                             {"tune", "export", "--pack", "x", "gemm"},
                                             {"tune", "export", "--pack", "x", "--sizes", "n=3"},
                                             {"tune", "run", "window", "--budget-s=-1"}}) {
    BOOST_CHECK_THROW(s.run(args), InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(a_kernel_can_be_handed_to_somebody) {
  Session s;
  const std::string said = s.run({"repro", "reduce<f32, f32>(1)", "--to", s.dir / "out"});
  const fs::path folder = fs::directory_iterator(s.dir / "out")->path();
  BOOST_TEST(contains(said, folder.string()), said);
  // The command in compile.txt needs only the folder.
  const std::string command = read_file(folder / "compile.txt");
  BOOST_TEST(std::system(("cd '" + folder.string() + "' && " + command).c_str()) == 0, command);
  BOOST_TEST(fs::exists(folder / "kernel.so"));
  BOOST_TEST(contains(s.run({"repro", folder / "request.bin"}), "compiles in"));
  std::ofstream(folder / "request.bin", std::ios::app) << "x";
  BOOST_CHECK_THROW(s.run({"repro", folder / "request.bin"}), CorruptData);
  if (find_nvrtc("")) {
    (void)s.run({"repro", "reduce<f32, f32>(1)", "--arch", "sm_80", "--to", s.dir / "gpu"});
    const fs::path gpu = fs::directory_iterator(s.dir / "gpu")->path();
    BOOST_TEST(contains(s.run({"repro", gpu / "request.bin"}), "registers"));
  }
}

BOOST_AUTO_TEST_CASE(a_users_text_is_compiled_timed_and_tuned) {
  Session s;
  const std::string file = s.dir / "scaled.h";
  std::ofstream(file) << "#pragma once\n"
                         "#include \"eflow/kernels_src/tile/pack.h\"\n"
                         "namespace EFLOW_TEXT {\n"
                         "template <class T> struct Scaled { const T* x; T* y; Index n; };\n"
                         "template <class T, int kPerBlock, int kBy>\n"
                         "void scaled(const Block& block, const Scaled<T>& a) {\n"
                         "  const Index begin = block.x * kPerBlock;\n"
                         "  each<float>(begin, min_of(begin + kPerBlock, a.n), [&](auto i) {\n"
                         "    store(a.y, i, load<float>(a.x, i) * float(kBy));\n"
                         "  });\n"
                         "}\n"
                         "}\n";
  const auto with = [&](std::vector<std::string> words, std::vector<std::string> more) {
    words.insert(words.end(), {"--text", file, "--expression", "scaled<$t0, $c0, $c1>"});
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const std::string kernel = "scaled<bf16>(64, 3)";
  BOOST_TEST(contains(s.run(with({"compile", kernel}, {})), "compiled"));
  BOOST_TEST(contains(s.run(with({"compile", kernel}, {})), "disk cache"));
  const std::string sass = s.dir / "out.s", ptx = s.dir / "out.ptx";
  (void)s.run(with({"compile", kernel}, {"--sass", sass}));
  BOOST_TEST(contains(read_file(sass), "<eflow_run>:"));
  if (find_nvrtc("")) {
    (void)s.run(with({"compile", kernel}, {"--arch", "sm_90a", "--ptx", ptx}));
    BOOST_TEST(contains(read_file(ptx), ".entry eflow_kernel"));
    BOOST_TEST(contains(read_file(ptx), ".target sm_90a"));
  }
  BOOST_CHECK_THROW(s.run(with({"compile", kernel}, {"--ptx", ptx})), InvalidArgument);
  BOOST_CHECK_THROW(s.run({"compile", kernel, "--expression", "x"}), InvalidArgument);
  BOOST_CHECK_THROW(s.run({"compile", kernel, "--text", file}), InvalidArgument);
  BOOST_CHECK_THROW(s.run({"compile", "gemm<f32, f32>()", "--text", file, "--expression", "x"}),
                    InvalidArgument);

  const std::vector<std::string> operands{"--arguments", "x:bf16[n], out y:bf16[n], n",
                                          "--grid",      "(n + $c0 - 1) / $c0",
                                          "--sizes",     "n=3000"};
  const auto timed = [&](std::vector<std::string> words, std::vector<std::string> more = {}) {
    more.insert(more.begin(), operands.begin(), operands.end());
    more.insert(more.end(), {"--budget-s", "0.3"});
    return with(std::move(words), std::move(more));
  };
  BOOST_TEST(contains(s.run(timed({"bench", kernel})), "A  scaled<bf16>(64, 3)"));
  const std::string two = s.run(timed({"bench", kernel, "scaled<bf16>(64, 5)"}));
  BOOST_TEST(contains(two, "B  scaled<bf16>(64, 5)"), two);
  BOOST_TEST(!contains(two, "differ by at most 0 of"), two);  // 3 x is not 5 x
  const std::string tuned =
      s.run(timed({"tune", "run", "scaled<bf16>(0, 3)"}, {"--tunables", "c0=64,512,1024"}));
  BOOST_TEST(contains(tuned, "tuning scaled<bf16>(64, 3) --sizes n=3000"), tuned);
  BOOST_TEST(contains(s.run({"tune", "show"}), "scaled<bf16>("));
  for (const auto& [option, value] : std::vector<std::pair<std::string, std::string>>{
           {"--arguments", "x:bf16[n], y:bf16[n], n"},
           {"--arguments", "x:bf17[n], out y:bf16[n], n"},
           {"--arguments", "x:bf16[m], out y:bf16[n], n"},
           {"--arguments", "x:bf16[n], out y:bf16[n/(n-n)], n"},
           {"--grid", "n,1,1,1"},
           {"--grid", "n -"},
           {"--tunables", "64,128"},
           {"--device", "nonsense"}}) {
    BOOST_CHECK_THROW(s.run(timed({"tune", "run", "scaled<bf16>(64, 3)"}, {option, value})),
                      InvalidArgument);
  }
}

BOOST_AUTO_TEST_CASE(all_kernels_are_listed) {
  Session s;
  const std::string all = s.run({"kernels"});
  BOOST_TEST(contains(all, "softmax  softmax.h  built in, "), all);
  BOOST_TEST(contains(all, "glga_forward  glga/"), all);
  BOOST_CHECK_THROW(s.run({"kernels", "x"}), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(wrong_words_are_explained) {
  Session s;
  for (const std::vector<std::string>& args :
       std::vector<std::vector<std::string>>{{},
                                             {"nonsense"},
                                             {"compile"},
                                             {"compile", "reduce<f32"},
                                             {"compile", "reduce<f32>", "--arch", "pentium"},
                                             {"compile", "reduce<f32>", "--fast", "1"},
                                             {"compile", "reduce<f32>", "--arch"},
                                             {"gc", "--max-mb", "x"},
                                             {"tune", "run", "--list", "two", "--sizes", "n=1"},
                                             {"tune", "run", "window<>(8)", "--batch", "2"},
                                             {"tune", "run", "window<>(8)", "--again", "please"},
                                             {"tune", "show", "--sizes", "n=1"},
                                             {"tune", "show", "--device", "cpu"},
                                             {"tune", "list", "--batch", "2"},
                                             {"prepare", "--spills", "no"},
                                             {"bench", "--sizes", "n=1"}}) {
    BOOST_CHECK_THROW(s.run(args), InvalidArgument);
  }
  BOOST_TEST(contains(s.run({"--help"}), "eflow jit doctor"));
  s.options.cache.named = "";
  BOOST_CHECK_THROW(s.run({"ls"}), InvalidArgument);
}
