#pragma once
// The functions that a text calls on an emulated GPU (jit/emulation/machine.hpp). A text of its own
// shared object (EFLOW_BACKEND=emulated) calls them through a table that the host sets; texts that
// are linked with the machine, in tests, call them directly. Includes nothing, because texts are
// compiled with their own flags.

/// CALL(result, name, parameters, arguments).
///
/// Warpgroup calls: operand_at is an operand in shared memory; multiply_shared adds to sums of strips
/// of 8 columns, from A in shared memory or (a not null) in registers. The barriers are those of
/// tensor-map copies (jit/emulation/copy_engine.hpp).
#define EFLOW_MACHINE_CALLS(CALL)                                                                \
  CALL(int, thread_index, (), ())                                                                \
  CALL(void, block_barrier, (), ())                                                              \
  CALL(long long, shared_bytes, (), ())                                                          \
  CALL(void, trap_without_room, (), ())                                                          \
  CALL(unsigned long long, shuffle_xor, (unsigned long long bits, int mask), (bits, mask))       \
  CALL(void, load_matrices, (unsigned* out, const void* row, bool transposed),                   \
       (out, row, transposed))                                                                   \
  CALL(void, multiply_bf16, (float* c, const unsigned* a, unsigned b0, unsigned b1),             \
       (c, a, b0, b1))                                                                           \
  CALL(void, multiply_f16, (float* c, const unsigned* a, unsigned b0, unsigned b1),              \
       (c, a, b0, b1))                                                                           \
  CALL(void, multiply_tf32, (float* c, const unsigned* a, unsigned b0, unsigned b1),             \
       (c, a, b0, b1))                                                                           \
  CALL(void, copy_async, (void* to, const void* from, int bytes), (to, from, bytes))             \
  CALL(void, commit_copies, (), ())                                                              \
  CALL(void, wait_copies, (int open), (open))                                                    \
  CALL(unsigned long long, operand_at, (const void* first, int leading_bytes, int stride_bytes), \
       (first, leading_bytes, stride_bytes))                                                     \
  CALL(void, begin_products, (), ())                                                             \
  CALL(void, multiply_shared,                                                                    \
       (int strips, float* c, const unsigned* a, unsigned long long a_operand, bool a_down,      \
        unsigned long long b_operand, bool b_down),                                              \
       (strips, c, a, a_operand, a_down, b_operand, b_down))                                     \
  CALL(void, finish_products, (), ())                                                            \
  CALL(void, open_barrier, (void* barrier), (barrier))                                           \
  CALL(void, close_barrier, (void* barrier), (barrier))                                          \
  CALL(void, arrive, (void* barrier), (barrier))                                                 \
  CALL(void, wait_for_phase, (void* barrier, unsigned parity), (barrier, parity))                \
  CALL(void, copy_box, (void* to, int bytes, const void* map, const int* at, void* barrier),     \
       (to, bytes, map, at, barrier))

namespace eflow::emulated {

/// The functions as a table.
struct Calls {
#define EFLOW_CALL(result, name, parameters, arguments) result(*name) parameters;
  EFLOW_MACHINE_CALLS(EFLOW_CALL)
#undef EFLOW_CALL
};

}  // namespace eflow::emulated

#if defined(EFLOW_CHECKED)
extern "C" {
__attribute__((visibility("default"))) const eflow::emulated::Calls* eflow_machine = nullptr;
}
namespace eflow::emulated {
#define EFLOW_CALL(result, name, parameters, arguments)                                       \
  __attribute__((no_sanitize_address, no_sanitize_undefined)) inline result name parameters { \
    return eflow_machine->name arguments;                                                     \
  }
EFLOW_MACHINE_CALLS(EFLOW_CALL)
#undef EFLOW_CALL
}  // namespace eflow::emulated
#else
#pragma GCC visibility push(default)
namespace eflow::emulated {
#define EFLOW_CALL(result, name, parameters, arguments) result name parameters;
EFLOW_MACHINE_CALLS(EFLOW_CALL)
#undef EFLOW_CALL
}  // namespace eflow::emulated
#pragma GCC visibility pop
#endif
