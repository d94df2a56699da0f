// Where libraries of CUDA are looked for, and in which order.
#define BOOST_TEST_MODULE library
#include "eflow/jit/cuda/library.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace fs = std::filesystem;

namespace {

std::string file(const fs::path& path) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << "x";
  return path.string();
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_named_then_toolkits_then_packages_then_names) {
  const test::TempDir dir;
  const CudaPlaces places{.search_path = str((dir / "a").string(), "::", (dir / "b").string()),
                          .toolkits = dir / "local",
                          .python = dir / "venv"};
  const std::vector<std::string> expected{
      file(dir / "b" / "libx.so.12"),
      file(dir / "local" / "cuda" / "lib64" / "libx.so"),
      file(dir / "local" / "cuda-13.1" / "lib64" / "libx.so.13"),
      file(dir / "local" / "cuda-13.0" / "targets" / "x86_64-linux" / "lib" / "libx.so.13"),
      file(dir / "local" / "cuda-13.0" / "targets" / "x86_64-linux" / "lib" / "libx.so.12"),
      file(dir / "venv" / "lib" / "python3.11" / "site-packages" / "nvidia" / "x" / "lib" /
           "libx.so.12"),
      "libx.so.13",
      "libx.so.12",
      "libx.so"};
  file(dir / "local" / "cuda-13.0" / "lib64" / "liby.so");
  BOOST_TEST(cuda_library_paths("libx.so", {".13", ".12"}, places) == expected,
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(nowhere) {
  const test::TempDir dir;
  BOOST_TEST(cuda_library_paths("libx.so", {".2"}, {.toolkits = dir / "no"}) ==
                 (std::vector<std::string>{"libx.so.2", "libx.so"}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_library_that_is_named_is_the_only_candidate) {
  const test::TempDir dir;
  std::string why;
  BOOST_TEST(!open_cuda_library(
      {.title = "X", .name = "libx", .variable = "EFLOW_X"}, (dir / "libother.so").string(),
      [](void*, const std::string&) { return true; }, why));
  BOOST_TEST(why.find("libother.so") != std::string::npos, why);
  BOOST_TEST(why.find("set EFLOW_X") != std::string::npos, why);
}
