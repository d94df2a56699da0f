#pragma once
// One row of the built-in table: a Spec and the function that a build for one instruction set made of its text.
// Included by code compiled with AVX-512 flags, so nothing here may instantiate an inline function of another header:
// the linker could keep that copy for everyone.

#include "eflow/jit/spec.hpp"

namespace eflow::jit {

struct BuiltinEntry {
  Spec spec;
  const char* text;  ///< name of the text, for messages
  const char*
      expression;  ///< the C++ name of the specialisation, which NVRTC compiles from the same text
  /// block points to the text's Block, args to its argument struct.
  void (*run)(const void* block, const void* args);
  const char* file;        ///< path of the kernel text, for KernelTexts
  std::size_t args_bytes;  ///< size of the argument struct
};

struct BuiltinTable {
  const BuiltinEntry* entries;
  std::size_t count;
};

/// The Block of tile/types.h, as the host fills it.
struct HostBlock {
  long long x, y, z;
  long long nx, ny, nz;
  char* scratch;
};

}  // namespace eflow::jit
