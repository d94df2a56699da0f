#pragma once
// A kernel of the user's for the commands compile, tune run and bench:
//
//   --text FILE --expression 'matmul<$t0, $c0>' [--threads N]
//   --arguments 'x:bf16[m*k], w:bf16[k*n], out y:bf16[m*n], m, n, k'    the fields of its struct
//   --grid '(m+63)/64, (n+63)/64'                                       blocks
//   --tunables 'c0=64,128;c1=32,64'                                     the first values are the default
//
// A field is an array, given random numbers, or an integer. Sizes, integers and the grid are
// expressions of + - * / ( ), the names in --sizes, and the constants $c0, $c1, ...

#include <string>
#include <vector>

#include "eflow/trainer/program/jit/command_line.hpp"

namespace eflow::jit {

/// The options above, for CommandLine::parse.
inline const std::vector<std::string> kTextOptions{"text", "expression", "threads"};
inline const std::vector<std::string> kOperandOptions{"arguments", "grid", "tunables"};

/// Whether --text is given. Throws InvalidArgument if another of its options is given without it.
[[nodiscard]] bool has_text(const CommandLine& line);
/// Adds the text and the definition of the kernel. Throws InvalidArgument, and IoError for the file.
void define_text(const CommandLine& line, const KernelRef& kernel, KernelBuilder& builder);
/// The kernel with operands of its own. Throws InvalidArgument.
[[nodiscard]] TunableKernel text_kernel(const CommandLine& line, const KernelRef& kernel);

}  // namespace eflow::jit
