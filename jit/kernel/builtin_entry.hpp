#pragma once
// BuiltinEntry: one row of the built-in table, a KernelSpec and its compiled function. This header is
// included by code compiled with AVX-512 flags, so it must not instantiate inline functions of
// other headers: the linker might keep the AVX-512 copy for every caller.

#include "eflow/jit/kernel/spec.hpp"

namespace eflow::jit {

struct BuiltinEntry {
  KernelSpec spec;
  const char* text;  ///< name of the kernel
  /// The C++ name of the specialisation, which NVRTC compiles from the same text.
  const char* expression;
  /// `block` points to the text's Block, `args` to its argument struct.
  void (*run)(const void* block, const void* args);
  const char* file;               ///< path of the kernel text, for KernelTexts
  std::size_t args_bytes;         ///< size of the argument struct
  std::int64_t shared_bytes = 0;  ///< dynamic shared memory of a block on a GPU
  /// The ArgumentTypes of the argument struct (kernels_src/tile/base/argument_types.h); null: unknown.
  const void* types = nullptr;
};

struct BuiltinTable {
  const BuiltinEntry* entries;
  std::size_t count;
};

/// Must match Block in kernels_src/tile/base/types.h.
struct HostBlock {
  long long x, y, z;
  long long nx, ny, nz;
  char* scratch;
  long long scratch_bytes = 0;
  void (*no_room)(long long rows, long long columns, long long bytes, long long left,
                  long long all) = nullptr;
};

}  // namespace eflow::jit
