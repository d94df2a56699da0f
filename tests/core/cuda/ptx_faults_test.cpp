// The interpreter of PTX reports faults: each case is a small kernel with one fault, and usually the
// same kernel without it.
#define BOOST_TEST_MODULE ptx_faults
#include <boost/test/unit_test.hpp>

#include "eflow/tests/support/ptx/interpreter.hpp"

using namespace eflow;

namespace {

/// One allocation of 256 bytes.
struct Memory final : ptx::GlobalMemory {
  alignas(256) ptx::u32 words[64] = {};
  [[nodiscard]] Range find(ptx::u64 address) const override {
    const auto begin = reinterpret_cast<ptx::u64>(words);
    const bool inside = address >= begin && address < begin + sizeof words;
    return inside ? Range{begin, begin + sizeof words} : Range{};
  }
};

/// %rd1: the address of the allocation; %r1: the thread; %r2: 4 times the thread.
std::string kernel(const std::string& body) {
  return R"(// kernel planted
.version 9.0
.target sm_80
.address_size 64
.shared .align 16 .b8 buffer[512];
.visible .entry eflow_kernel(.param .u64 memory)
.maxntid 64, 1, 1
{
.reg .pred %p<4>;
.reg .b32 %r<9>;
.reg .b64 %rd<5>;
ld.param.u64 %rd1, [memory];
mov.u32 %r1, %tid.x;
shl.b32 %r2, %r1, 2;
cvt.u64.u32 %rd2, %r2;
add.s64 %rd3, %rd1, %rd2;
mov.u32 %r3, buffer;
add.s32 %r4, %r3, %r2;
)" + body +
         "ret;\n}\n";
}

/// The fault of the kernel with 64 threads, or "".
std::string fault_of(const std::string& body, Memory& memory, unsigned seed = 0) {
  const ptx::Program program = ptx::parse(kernel(body));
  const ptx::u64 params = reinterpret_cast<ptx::u64>(memory.words);
  ptx::Launch launch;
  launch.threads = 64;
  launch.params = &params;
  launch.seed = seed;
  try {
    ptx::Counts counts;
    ptx::run(program, launch, memory, counts);
  } catch (const ptx::Fault& fault) {
    return fault.what();
  }
  return "";
}
std::string fault_of(const std::string& body) {
  Memory memory;
  return fault_of(body, memory);
}

bool says(const std::string& fault, const std::string& what) {
  BOOST_TEST_MESSAGE(fault);
  return fault.find(what) != std::string::npos;
}

const std::string kStore = "st.shared.u32 [%r4], %r1;\n";
const std::string kBarrier = "bar.sync 0;\n";
/// Reads the element of thread ^ 32, in the other warp.
const std::string kLoadOther =
    "xor.b32 %r5, %r2, 128;\nadd.s32 %r5, %r3, %r5;\nld.shared.u32 %r6, [%r5];\n"
    "st.global.u32 [%rd3], %r6;\n";

}  // namespace

BOOST_AUTO_TEST_CASE(a_read_without_a_barrier_is_a_race) {
  // Whichever warp comes first, the other's element is unwritten or not yet visible.
  BOOST_TEST(says(fault_of(kStore + kLoadOther), "was never written"));
  for (unsigned seed = 0; seed < 6; ++seed) {
    Memory memory;
    const std::string late = "st.shared.u32 [%r4+256], %r1;\n";  // every element is written
    const std::string fault =
        fault_of(kStore + late + kBarrier + kStore + kLoadOther, memory, seed);
    BOOST_TEST(says(fault, "race: "));
    BOOST_TEST(says(fault, "planted: "));
    BOOST_TEST(says(fault, "no barrier in between"));
  }
  Memory memory;
  BOOST_TEST(fault_of(kStore + kBarrier + kLoadOther, memory).empty());
  for (ptx::u32 i = 0; i < 64; ++i) BOOST_TEST(memory.words[i] == (i ^ 32));
}

BOOST_AUTO_TEST_CASE(overwriting_what_another_warp_reads_is_a_race) {
  const std::string read = kStore + kBarrier + kLoadOther;
  BOOST_TEST(says(fault_of(read + kStore), "race: "));
  BOOST_TEST(fault_of(read + kBarrier + kStore).empty());
}

BOOST_AUTO_TEST_CASE(accesses_out_of_bounds_are_reported_with_their_place) {
  const std::string fault = fault_of("st.global.u32 [%rd3+4], %r1;\n");
  BOOST_TEST(says(fault, "out of bounds: accesses 4 bytes"));
  BOOST_TEST(says(fault, "planted: "));
  BOOST_TEST(says(fault, "thread 63, PTX line 22: st.global.u32 [%rd3+4], %r1"));
  BOOST_TEST(says(fault_of("ld.global.u32 %r5, [%rd3+-4];\n"), "thread 0,"));
  BOOST_TEST(says(fault_of("ld.shared.u32 %r5, [%r4+512];\n"), "outside the block's 512 bytes"));
  BOOST_TEST(says(fault_of("ld.param.u64 %rd4, [memory+8];\n"), "of parameters"));
  BOOST_TEST(fault_of("st.global.u32 [%rd3], %r1;\n").empty());
}

BOOST_AUTO_TEST_CASE(misaligned_accesses_are_reported) {
  BOOST_TEST(says(fault_of("ld.global.v2.u32 {%r5, %r6}, [%rd3];\n"), "misaligned access of 8"));
  BOOST_TEST(says(fault_of("st.shared.u32 [%r4+2], %r1;\n"), "misaligned access of 4"));
}

BOOST_AUTO_TEST_CASE(copies_must_be_waited_for) {
  const std::string start =
      "shl.b32 %r5, %r1, 2;\nand.b32 %r5, %r5, 240;\ncvt.u64.u32 %rd4, %r5;\n"
      "add.s64 %rd4, %rd1, %rd4;\nadd.s32 %r6, %r3, %r5;\nand.b32 %r7, %r1, 3;\n"
      "setp.eq.s32 %p1, %r7, 0;\n@%p1 cp.async.cg.shared.global [%r6], [%rd4], 16, 16;\n";
  const std::string commit = "cp.async.commit_group;\n", wait = "cp.async.wait_group 0;\n";
  const std::string read = "ld.shared.u32 %r8, [%r4];\n";
  const char* const early = "has not been waited for";
  BOOST_TEST(says(fault_of(start + commit + kBarrier + read), early));
  BOOST_TEST(says(fault_of(start + wait + kBarrier + read), early));  // not committed
  BOOST_TEST(says(fault_of(start + commit + "cp.async.wait_group 1;\n" + kBarrier + read), early));
  BOOST_TEST(says(fault_of(start + commit + wait + kLoadOther), "never written"));
  BOOST_TEST(says(fault_of(kStore + kBarrier + start + commit + wait + kLoadOther), "race: "));
  Memory memory;
  for (ptx::u32 i = 0; i < 64; ++i) memory.words[i] = 100 + i;
  BOOST_TEST(fault_of(start + commit + wait + kBarrier + read + "add.s32 %r8, %r8, 1;\n" +
                          "st.global.u32 [%rd3], %r8;\n",
                      memory)
                 .empty());
  for (ptx::u32 i = 0; i < 64; ++i) BOOST_TEST(memory.words[i] == 101 + i);
}

BOOST_AUTO_TEST_CASE(writes_that_a_warpgroup_multiplies_need_a_fence) {
  // Core matrices of 128 bytes, adjacent along k; those along m and n are the same one.
  const std::string product =
      "mov.u64 %rd4, 524288;\nwgmma.fence.sync.aligned;\n"
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r5, %r6, %r7, %r8}, %rd4, %rd4, 1, 1, "
      "1, 0, 0;\nwgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";
  const std::string fence = "fence.proxy.async.shared::cta;\n";
  BOOST_TEST(says(fault_of(kStore + kBarrier + product), "with no fence.proxy.async after it"));
  BOOST_TEST(says(fault_of(fence + kStore + kBarrier + product), "fence.proxy.async"));
  BOOST_TEST(says(fault_of(kStore + fence + product), "never written"));  // no barrier
  BOOST_TEST(fault_of(kStore + fence + kBarrier + product).empty());
}

BOOST_AUTO_TEST_CASE(barriers_of_copies_are_initialised_and_passed_once) {
  const std::string thread = "setp.eq.s32 %p1, %r1, 0;\n";
  const std::string init = "@%p1 mbarrier.init.shared::cta.b64 [%r3], 1;\n";
  const std::string arrive = "@%p1 mbarrier.arrive.shared::cta.b64 _, [%r3];\n";
  const std::string wait =
      "WAIT:\nmbarrier.try_wait.parity.shared::cta.b64 %p2, [%r3], 0;\n@!%p2 bra WAIT;\n";
  for (const std::string last : {"", "setp.eq.s32 %p1, %r1, 63;\n"}) {
    BOOST_TEST(fault_of(thread + init + kBarrier + last + arrive + wait).empty());
  }
  BOOST_TEST(says(fault_of(thread + wait), "not initialised"));
  BOOST_TEST(says(fault_of(thread + init + init), "twice"));
  BOOST_TEST(says(fault_of(thread + init + kBarrier + wait), "does not end"));
}

BOOST_AUTO_TEST_CASE(all_lanes_reach_a_barrier_and_a_shuffle) {
  const std::string half = "setp.lt.s32 %p1, %r1, 16;\n";
  BOOST_TEST(says(fault_of(half + "@%p1 bra SKIP;\nbar.sync 0;\nSKIP:\n"), "only some lanes"));
  BOOST_TEST(fault_of(half + "@%p1 bra SKIP;\nadd.s32 %r5, %r1, 1;\nSKIP:\nbar.sync 0;\n").empty());
  const std::string shuffle = "shfl.sync.bfly.b32 %r5|%p2, %r1, 1, 31, -1;\n";
  BOOST_TEST(says(fault_of(half + "@%p1 " + shuffle), "is not here"));
  BOOST_TEST(fault_of(shuffle).empty());
}

BOOST_AUTO_TEST_CASE(unknown_instructions_are_named) {
  BOOST_TEST(says(fault_of("frobnicate.u32 %r5, %r1;\n"), "unknown instruction"));
  BOOST_TEST(says(fault_of("frobnicate.u32 %r5, %r1;\n"), "frobnicate.u32 %r5, %r1"));
  // A word that changes the meaning is never skipped.
  BOOST_TEST(says(fault_of("cvt.rzi.sat.s32.f32 %r5, %r1;\n"), "unknown instruction"));
  BOOST_CHECK_THROW(static_cast<void>(ptx::parse(kernel("add.s32 %r5, %unknown, 1;\n"))),
                    std::runtime_error);
}
