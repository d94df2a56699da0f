// Runs tile_matrix_text.h for each instruction set of this CPU, and its GPU form on emulated GPUs.
#define BOOST_TEST_MODULE tile_matrix
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <memory>
#include <vector>

#include "eflow/jit/emulation/machine.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/tests/kernels_src/tile_matrix_cases.h"

#define EFLOW_DECLARE(target)              \
  namespace eflow_text_##target {          \
    extern const TileEntry kTileEntries[]; \
  }
EFLOW_DECLARE(baseline)
#if defined(__x86_64__)
EFLOW_DECLARE(avx2)
EFLOW_DECLARE(avx512)
EFLOW_DECLARE(avx512_bf16)
EFLOW_DECLARE(amx)
EFLOW_DECLARE(amx_double)
#endif
EFLOW_DECLARE(emulated_75_4)
EFLOW_DECLARE(emulated_80_4)
EFLOW_DECLARE(emulated_80_8)
EFLOW_DECLARE(emulated_90_4)
EFLOW_DECLARE(emulated_90_8)

namespace {

using eflow::jit::Isa;
namespace emulated = eflow::emulated;

/// Memory of one case, and its results.
class Run {
 public:
  Run()
      : records_(kTileRecords),
        memory_(static_cast<char*>(std::aligned_alloc(128, kTileMemory)), &std::free) {}
  TileCase args() { return {records_.data(), &count_, memory_.get()}; }
  void check(const char* name) const {
    BOOST_TEST(count_ > 0, name);
    for (int i = 0; i < count_; ++i) {
      const TileRecord& r = records_[static_cast<std::size_t>(i)];
      BOOST_TEST(r.error <= r.limit, name << ", check " << i << ", " << r.what << " is off by "
                                          << r.error << ", allowed are " << r.limit);
    }
  }

 private:
  std::vector<TileRecord> records_;
  int count_ = 0;
  std::unique_ptr<char, decltype(&std::free)> memory_;
};

void run_on_cpu(Isa isa, const TileEntry* entries) {
  for (const Isa usable : eflow::jit::usable_isas()) {
    if (usable != isa) continue;
    const std::unique_ptr<char, decltype(&std::free)> scratch(
        static_cast<char*>(std::aligned_alloc(64, 1 << 20)), &std::free);
    const eflow::jit::HostBlock block{0, 0, 0, 1, 1, 1, scratch.get(), 1 << 20};
    BOOST_TEST_CONTEXT(eflow::jit::name_of(isa)) {
      for (; entries->name != nullptr; ++entries) {
        Run run;
        const TileCase args = run.args();
        entries->run(&block, &args);
        run.check(entries->name);
      }
    }
    return;
  }
  BOOST_TEST_MESSAGE("this CPU does not support " << eflow::jit::name_of(isa));
}

void run_on_gpu(int warps, const TileEntry* entries, emulated::Schedule schedule, bool instructions,
                bool warpgroups = false) {
  long long loads = 0, products = 0, group_products = 0, copies = 0;
  for (; entries->name != nullptr; ++entries) {
    Run run;
    const TileCase args = run.args();
    emulated::Launch launch;
    launch.threads = 32 * warps;
    launch.shared_bytes = kTileScratch;
    launch.schedule = schedule;
    const emulated::Outcome outcome = emulated::run(launch, entries->run, &args);
    BOOST_TEST(outcome.error == "", entries->name << ": " << outcome.error);
    BOOST_TEST(outcome.bank_conflicts == 0, entries->name << " of " << outcome.matrix_loads);
    if (outcome.error.empty()) run.check(entries->name);
    loads += outcome.matrix_loads;
    products += outcome.products;
    group_products += outcome.group_products;
    copies += outcome.copies;
  }
  BOOST_TEST((loads > 0) == instructions);
  BOOST_TEST((products > 0) == instructions);
  BOOST_TEST((group_products > 0) == warpgroups);
  BOOST_TEST((copies > 0) == instructions);
}

}  // namespace

BOOST_AUTO_TEST_CASE(baseline) {
  run_on_cpu(Isa::kBaseline, eflow_text_baseline::kTileEntries);
}
#if defined(__x86_64__)
BOOST_AUTO_TEST_CASE(avx2) {
  run_on_cpu(Isa::kAvx2, eflow_text_avx2::kTileEntries);
}
BOOST_AUTO_TEST_CASE(avx512) {
  run_on_cpu(Isa::kAvx512, eflow_text_avx512::kTileEntries);
}
BOOST_AUTO_TEST_CASE(avx512_bf16) {
  run_on_cpu(Isa::kAvx512Bf16, eflow_text_avx512_bf16::kTileEntries);
}
BOOST_AUTO_TEST_CASE(amx) {
  run_on_cpu(Isa::kAmx, eflow_text_amx::kTileEntries);
}
/// Loops in the place of the matrix unit, with the rest of its instruction set's CPU.
BOOST_AUTO_TEST_CASE(amx_double) {
  run_on_cpu(Isa::kAvx512Bf16, eflow_text_amx_double::kTileEntries);
}
#endif

BOOST_AUTO_TEST_CASE(tiles_beyond_the_shared_memory_of_the_launch_end_it) {
  const TileEntry* entry = eflow_text_emulated_80_4::kTileEntries;  // a product of 64 x 64 tiles
  Run run;
  const TileCase args = run.args();
  emulated::Launch launch;
  launch.threads = 128;
  launch.shared_bytes = 20000;
  const emulated::Outcome outcome = emulated::run(launch, entry->run, &args);
  BOOST_TEST(outcome.error.find("a tile does not fit the 20000 B") != std::string::npos,
             outcome.error);
}

BOOST_AUTO_TEST_CASE(emulated_gpu_without_instructions) {
  run_on_gpu(4, eflow_text_emulated_75_4::kTileEntries, {}, false);
}
BOOST_AUTO_TEST_CASE(emulated_gpu_of_four_warps) {
  run_on_gpu(4, eflow_text_emulated_80_4::kTileEntries, {.last_first = false, .late_copies = true},
             true);
  run_on_gpu(4, eflow_text_emulated_80_4::kTileEntries, {.last_first = true, .late_copies = false},
             true);
}
BOOST_AUTO_TEST_CASE(emulated_gpu_of_eight_warps) {
  run_on_gpu(8, eflow_text_emulated_80_8::kTileEntries, {.last_first = true, .late_copies = true},
             true);
}
BOOST_AUTO_TEST_CASE(emulated_gpu_with_warpgroups) {
  run_on_gpu(4, eflow_text_emulated_90_4::kTileEntries, {.last_first = false, .late_copies = true},
             true, true);
  run_on_gpu(8, eflow_text_emulated_90_8::kTileEntries, {.last_first = true, .late_copies = false},
             true, true);
}
