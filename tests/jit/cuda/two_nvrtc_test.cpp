// A process with two NVRTCs, as with PyTorch: the one that is named compiles, although another was loaded first and
// offers its symbols to the whole process. Skipped unless NVRTC 13 of the toolkit and a wheel's 12 are installed.
#define BOOST_TEST_MODULE two_nvrtc
#include <dlfcn.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/kernel_builder.hpp"

using namespace eflow;
using namespace eflow::jit;
namespace fs = std::filesystem;

namespace {

/// The NVRTC of the Python packages of $EFLOW_VENV; empty without one.
std::string nvrtc_of_wheel() {
  const char* const home = std::getenv("HOME");
  const char* const venv = std::getenv("EFLOW_VENV");
  const fs::path root =
      venv != nullptr ? fs::path(venv) : fs::path(home ? home : "/") / ".cache/eflow/venv";
  std::error_code ignored;
  for (const auto& python : fs::directory_iterator(root / "lib", ignored)) {
    const fs::path file = python.path() / "site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12";
    if (fs::exists(file, ignored)) return file;
  }
  return "";
}

std::string ptx_of(const std::string& library) {
  Options options;
  options.nvrtc = library;
  KernelBuilder builder(options);
  const FoundCompiler& found = builder.compiler(Backend::kCuda);
  BOOST_REQUIRE_MESSAGE(found, found.why);
  const auto request =
      builder.request({"softmax", KernelSpec("softmax", {DType::kF32})}, {Backend::kCuda, "sm_80"});
  return found.compiler->toolchain() + "\n" + found.compiler->compile(request, {}).ptx;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_compiler_that_is_named_compiles) {
  const std::string theirs = nvrtc_of_wheel(), ours = "/usr/local/cuda-13.0/lib/libnvrtc.so.13";
  if (theirs.empty() || !fs::exists(ours)) {
    std::cout << "skipped: " << (theirs.empty() ? "no wheel's NVRTC" : "no " + ours) << '\n';
    std::exit(77);
  }
  BOOST_REQUIRE(dlopen(theirs.c_str(), RTLD_NOW | RTLD_GLOBAL) != nullptr);
  const std::string first = ptx_of(ours), second = ptx_of(theirs), again = ptx_of(ours);
  BOOST_TEST(contains(first, "nvrtc 13."), first.substr(0, 60));
  BOOST_TEST(contains(first, "release 13."), first.substr(0, 400));
  BOOST_TEST(contains(second, "nvrtc 12."), second.substr(0, 60));
  BOOST_TEST(contains(second, "release 12."), second.substr(0, 400));
  BOOST_TEST((first == again));
}
