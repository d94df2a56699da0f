#pragma once
// The report of `eflow jit prepare --report FILE`: a table of kernels by architecture with the
// assembler's resource usage. Internal to jit.

#include <string>
#include <vector>

#include "eflow/jit/kernel/artifact.hpp"
#include "eflow/jit/kernel/definitions.hpp"

namespace eflow::jit {

/// One kernel compiled for one architecture.
struct ReportedKernel {
  KernelRef kernel = {};
  std::string text = "";  ///< root text
  bool builtin = false;
  std::string arch = "";
  Resources resources = {};
  double seconds = 0;  ///< duration of the original compile, also for a cached artifact
};

/// Returns a Markdown report: one row per run-time specialised kernel, one row per built-in text
/// with the maximum over its kernels, and total compile times. Architectures are columns in the
/// given order.
[[nodiscard]] std::string prepare_report(const std::vector<ReportedKernel>& kernels,
                                         const std::vector<std::string>& archs);

}  // namespace eflow::jit
