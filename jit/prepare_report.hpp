#pragma once
// What `eflow jit prepare --report FILE` writes: a table of kernels by architecture, with what the assembler said of each.
// Internal to jit.

#include <string>
#include <vector>

#include "eflow/jit/artifact.hpp"
#include "eflow/jit/kernel_definitions.hpp"

namespace eflow::jit {

/// One kernel for one architecture.
struct ReportedKernel {
  KernelRef kernel;
  std::string text;  ///< its root text
  bool builtin = false;
  std::string arch;
  std::int64_t dynamic_shared = 0;  ///< bytes
  Resources resources;
  double seconds = 0;  ///< that the compile took when it was made
};

/// Markdown: one row a run-time specialised kernel, one a text of built-in ones with the most
/// that any of its kernels needs, and the sums of compile times. Architectures in the order given.
[[nodiscard]] std::string prepare_report(const std::vector<ReportedKernel>& kernels,
                                         const std::vector<std::string>& archs);

}  // namespace eflow::jit
