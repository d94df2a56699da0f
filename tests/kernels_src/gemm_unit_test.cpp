// Compares GEMM on a matrix unit with plain f64 loops, with loops in the place of the unit's
// instructions, and checks that the division into blocks changes no bit.
#define BOOST_TEST_MODULE gemm_unit
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <memory>

#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/tests/kernels_src/gemm_edges.hpp"
#include "eflow/tests/kernels_src/gemm_unit_cases.h"

#if defined(__x86_64__)
namespace eflow_text_amx_double {
extern const GemmUnitEntries kGemmEntries;
}

namespace {

using eflow::bfloat16;
using eflow::test::Case;
using eflow::test::Gemm;
using eflow::test::Problem;
using Run = void (*)(const void* block, const void* args);

constexpr std::size_t kScratch = 4 << 20;

/// Runs the blocks of a pool of `threads`, one by one.
void run(Run entry, const Gemm& args, int threads) {
  const std::unique_ptr<char, decltype(&std::free)> scratch(
      static_cast<char*>(std::aligned_alloc(64, kScratch)), &std::free);
  Gemm g = args;
  const eflow::args::GemmGrid grid = eflow::args::gemm_grid(g, threads);
  for (long long z = 0; z < grid.z; ++z) {
    for (long long y = 0; y < grid.y; ++y) {
      for (long long x = 0; x < grid.x; ++x) {
        const eflow::jit::HostBlock block{x, y, z, grid.x, grid.y, grid.z, scratch.get(), kScratch};
        entry(&block, &g);
      }
    }
  }
}

template <class O>
void check(Run entry, const Case& s) {
  const std::string fault =
      eflow::test::gemm_fault<bfloat16, O>(s, [&](const Gemm& g) { run(entry, g, 3); });
  BOOST_TEST(fault.empty(), fault);
  Problem<bfloat16, O> one(s), four(s);
  run(entry, one.g, 1);
  run(entry, four.g, 4);
  BOOST_TEST((std::memcmp(one.c.data(), four.c.data(), one.c.size() * sizeof(O)) == 0),
             s << " differs between 1 and 4 threads");
}

/// The rest of the text needs the CPU of the instruction set below.
bool usable() {
  for (const eflow::jit::Isa isa : eflow::jit::usable_isas())
    if (isa == eflow::jit::Isa::kAvx512Bf16) return true;
  BOOST_TEST_MESSAGE("this CPU does not support avx512_bf16");
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_edge_against_f64_loops) {
  if (!usable()) return;
  for (const Case& s : eflow::test::gemm_edges()) {
    check<float>(eflow_text_amx_double::kGemmEntries.bf16_f32, s);
    check<bfloat16>(eflow_text_amx_double::kGemmEntries.bf16, s);
  }
}

/// Whole kernels of 32 rows and columns, read in place and packed, and one row and column more.
BOOST_AUTO_TEST_CASE(large_products) {
  if (!usable()) return;
  for (const bool a_transposed : {false, true}) {
    for (const bool b_transposed : {false, true}) {
      for (const long long extra : {0, 1}) {
        const Case s{.m = 192 + extra,
                     .n = 160 + extra,
                     .k = 320 + extra,
                     .a_transposed = a_transposed,
                     .b_transposed = b_transposed,
                     .gap = extra};
        check<float>(eflow_text_amx_double::kGemmEntries.bf16_f32, s);
      }
    }
  }
}
#else
BOOST_AUTO_TEST_CASE(needs_x86) {}
#endif
