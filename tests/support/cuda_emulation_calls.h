#pragma once
// What a text on an emulated GPU calls. Includes nothing, as texts are compiled with flags of their own.

namespace eflow::emulated {

int thread_index();
void block_barrier();
unsigned long long shuffle_xor(unsigned long long bits, int mask);
void load_matrices(unsigned* out, const void* row, bool transposed);
void multiply_bf16(float* c, const unsigned* a, unsigned b0, unsigned b1);
void multiply_tf32(float* c, const unsigned* a, unsigned b0, unsigned b1);
void copy_async(void* to, const void* from, int bytes);
void commit_copies();
void wait_copies(int open);

}  // namespace eflow::emulated
