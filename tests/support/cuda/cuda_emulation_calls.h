#pragma once
// Functions that a text calls on an emulated GPU. Includes nothing, because texts are compiled with
// their own flags.

namespace eflow::emulated {

int thread_index();
void block_barrier();
long long shared_bytes();
void trap_without_room();
unsigned long long shuffle_xor(unsigned long long bits, int mask);
void load_matrices(unsigned* out, const void* row, bool transposed);
void multiply_bf16(float* c, const unsigned* a, unsigned b0, unsigned b1);
void multiply_f16(float* c, const unsigned* a, unsigned b0, unsigned b1);
void multiply_tf32(float* c, const unsigned* a, unsigned b0, unsigned b1);
void copy_async(void* to, const void* from, int bytes);
void commit_copies();
void wait_copies(int open);

/// Warpgroup calls: an operand in shared memory, and sums of strips of 8 columns from A in shared
/// memory or (a not null) in registers.
unsigned long long operand_at(const void* first, int leading_bytes, int stride_bytes);
void begin_products();
void multiply_shared(int strips, float* c, const unsigned* a, unsigned long long a_operand,
                     bool a_down, unsigned long long b_operand, bool b_down);
void finish_products();

/// Barriers of tensor-map copies (copy_engine.hpp), and such a copy of `bytes` bytes.
void open_barrier(void* barrier);
void close_barrier(void* barrier);
void arrive(void* barrier);
void wait_for_phase(void* barrier, unsigned parity);
void copy_box(void* to, int bytes, const void* map, const int* at, void* barrier);

}  // namespace eflow::emulated
