// eflow jit: every command on a cache of its own, with the host compiler and, where it is there, NVRTC.
#define BOOST_TEST_MODULE commands
#include "eflow/jit/commands.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "eflow/base/atomic_file.hpp"
#include "eflow/base/error.hpp"
#include "eflow/jit/disk_cache.hpp"
#include "eflow/jit/nvrtc.hpp"
#include "support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace fs = std::filesystem;

namespace {

struct Session {
  test::TempDir dir;
  Options options;
  Session() {
    options.cache.named = dir / "cache";
    options.isa = Isa::kBaseline;
  }

  std::string run(const std::vector<std::string>& args, int expected = 0) {
    std::ostringstream out;
    BOOST_TEST(run_jit_command(args, out, options) == expected, out.str());
    return out.str();
  }
};

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(doctor_says_what_is_there_and_what_is_missing) {
  Session s;
  const std::string well = s.run({"doctor"});
  for (const char* part : {"cpu ", "host compiler", "compiles in", "nvrtc", "gpu", "disk cache"}) {
    BOOST_TEST(contains(well, part), well);
  }
  s.options.search_path = "";
  s.options.nvrtc = "/no/such/library";
  s.options.cache.named = "";
  const std::string ill = s.run({"doctor"}, 1);
  for (const char* part : {"install g++ or clang++", "cost: kernels specialised at run time",
                           "EFLOW_NVRTC", "cost: every run compiles"}) {
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
  BOOST_TEST(contains(s.run({"show", key}), "from reduce.h"));
  const std::string folder = s.run({"dump", key, "--to", s.dir / "again"});
  BOOST_TEST(
      contains(read_file(fs::path(folder.substr(0, folder.size() - 1)) / "request.txt"), key));
  BOOST_CHECK_THROW(s.run({"show", "zzz"}), InvalidArgument);

  BOOST_TEST(contains(s.run({"verify"}), "1 sound, 0 unsound"));
  BOOST_TEST(contains(s.run({"pack", s.dir / "all.pack"}), "1 kernels"));
  BOOST_TEST(contains(s.run({"pack", s.dir / "none.pack", "--arch", "sm_80"}), "0 kernels"));
  s.options.packs = {s.dir / "all.pack"};
  BOOST_TEST(contains(s.run({"verify"}), "2 sound, 0 unsound"));

  std::string why_unsound;
  const auto cache = DiskCache::open({.root = s.dir / "cache"}, why_unsound);
  std::ofstream(cache->entries()[0].path, std::ios::app) << "x";
  BOOST_TEST(contains(s.run({"verify"}, 1), "1 sound, 1 unsound"));
  BOOST_TEST(contains(s.run({"ls"}), "unsound"));
  BOOST_TEST(contains(s.run({"gc", "--max-mb", "0"}), "are left"));
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
                                             {"gc", "--max-mb", "x"}}) {
    BOOST_CHECK_THROW(s.run(args), InvalidArgument);
  }
  BOOST_TEST(contains(s.run({"--help"}), "eflow jit doctor"));
  s.options.cache.named = "";
  BOOST_CHECK_THROW(s.run({"ls"}), InvalidArgument);
}
