// Options from the environment, and the messages for invalid values.
#define BOOST_TEST_MODULE options
#include "eflow/jit/options.hpp"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string_view>

#include "eflow/core/base/error.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

/// Sets a variable for the scope's lifetime; nullptr unsets it.
struct Variable {
  const char* name;
  std::string before;
  bool was_set;
  Variable(const char* n, const char* value) : name(n), was_set(std::getenv(n) != nullptr) {
    if (was_set) before = std::getenv(n);
    if (value != nullptr)
      setenv(n, value, 1);
    else
      unsetenv(n);
  }
  ~Variable() {
    if (was_set)
      setenv(name, before.c_str(), 1);
    else
      unsetenv(name);
  }
};

std::string complaint() {
  try {
    static_cast<void>(Options::from_environment());
  } catch (const InvalidArgument& e) {
    return e.what();
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(variables_are_read) {
  const Variable isa("EFLOW_ISA", "avx2"), threads("EFLOW_THREADS", "3"),
      mode("EFLOW_JIT", "forbid"), cache("EFLOW_CACHE_DIR", "/some/where"),
      size("EFLOW_CACHE_MAX_MB", "5"), packs("EFLOW_PACKS", "/a.pack::/b.pack"),
      cxx("EFLOW_CXX", "clang++"), texts("EFLOW_KERNEL_DIR", "/texts"),
      dump("EFLOW_DUMP_DIR", "/dump"), tune("EFLOW_TUNE", "off"), device("EFLOW_DEVICE", "cuda:1"),
      cublas("EFLOW_CUBLASLT", "off"), nccl("EFLOW_NCCL", "/nccl.so"), tf32("EFLOW_TF32", "off"),
      graphs("EFLOW_GRAPHS", "on");
  const Options o = Options::from_environment();
  BOOST_TEST((o.isa == Isa::kAvx2));
  BOOST_TEST(o.threads == 3);
  BOOST_TEST(o.device == "cuda:1");
  BOOST_TEST(o.cublas_library == "off");
  BOOST_TEST(o.nccl_library == "/nccl.so");
  BOOST_TEST(!o.tf32);
  BOOST_TEST(o.graphs);
  BOOST_TEST((o.mode == JitMode::kForbid));
  BOOST_TEST(o.cache.named.value() == "/some/where");
  BOOST_TEST(o.cache_max_bytes == 5u << 20);
  BOOST_REQUIRE(o.packs.size() == 2u);
  BOOST_TEST(o.packs[1] == "/b.pack");
  BOOST_TEST(o.cxx == "clang++");
  BOOST_TEST(o.kernel_dir == "/texts");
  BOOST_TEST(o.dump_dir == "/dump");
  BOOST_TEST((o.tune == TuneMode::kOff));
}

BOOST_AUTO_TEST_CASE(an_empty_environment_is_fine) {
  const Variable isa("EFLOW_ISA", nullptr), threads("EFLOW_THREADS", ""),
      mode("EFLOW_JIT", nullptr), cache("EFLOW_CACHE_DIR", nullptr), home("HOME", nullptr),
      xdg("XDG_CACHE_HOME", nullptr), path("PATH", nullptr);
  const Options o = Options::from_environment();
  BOOST_TEST(!o.isa.has_value());
  BOOST_TEST(o.threads == 0);
  BOOST_TEST((o.mode == JitMode::kOn));
  BOOST_TEST(!o.cache.named.has_value());
  BOOST_TEST(o.cache.home == "");
  BOOST_TEST(o.search_path == "/usr/local/bin:/usr/bin:/bin");
  // An empty value disables the disk cache.
  const Variable none("EFLOW_CACHE_DIR", "");
  BOOST_TEST(Options::from_environment().cache.named.value() == "");
}

BOOST_AUTO_TEST_CASE(wrong_values_are_named) {
  for (const auto& [name, value] : {std::pair{"EFLOW_ISA", "sse9"},
                                    {"EFLOW_THREADS", "many"},
                                    {"EFLOW_THREADS", "-1"},
                                    {"EFLOW_JIT", "maybe"},
                                    {"EFLOW_TUNE", "always"},
                                    {"EFLOW_GRAPHS", "yes"},
                                    {"EFLOW_CACHE_MAX_MB", "1GB"}}) {
    const Variable wrong(name, value);
    const std::string text = complaint();
    BOOST_TEST(text.find(std::string(name) + "=" + value) != std::string::npos, text);
  }
}
