// The memory of this machine, and of a made-up one.
#define BOOST_TEST_MODULE host_memory
#include "eflow/trainer/cost/host_memory.hpp"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/tests/support/temp_dir.hpp"

namespace eflow::trainer {
namespace {

BOOST_AUTO_TEST_CASE(memory_and_swap_are_added) {
  const test::TempDir root;
  BOOST_TEST(host_memory(root.path()) == 0u);
  std::filesystem::create_directories(root / "proc");
  std::ofstream(root / "proc/meminfo") << "MemTotal:       16384 kB\nMemFree:         1024 kB\n"
                                          "HugePages_Total:       0\nSwapTotal:       4096 kB\n"
                                          "DirectMap4k:     5000 kB\n";
  BOOST_TEST(host_memory(root.path()) == 20480u << 10);
}

BOOST_AUTO_TEST_CASE(this_machine_has_at_least_what_the_system_says) {
  const auto bytes = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  BOOST_TEST(host_memory() >= bytes);
}

}  // namespace
}  // namespace eflow::trainer
