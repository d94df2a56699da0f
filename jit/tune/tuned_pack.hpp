#pragma once
// A pack of what tuning found: each record's fastest kernel, for its own architecture and others, with the
// records, so that a machine without compilers and without tuning runs what was measured elsewhere.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel_builder.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct TunedPackOptions {
  /// Targets for which each kernel is compiled in addition to its record's own.
  std::vector<Target> targets = {};
  /// PTX with each GPU kernel, "compute_80", for GPUs that it has no machine code for; empty: none.
  std::string ptx = "compute_80";
  CompileLimits limits = {};
  /// Receives each thing that is left out, with the reason; may be empty.
  std::function<void(const std::string&)> say = {};
};

struct TunedPack {
  std::size_t records = 0, kernels = 0, ptx = 0;
};

/// Builds the kernels through the caches and writes the pack. Records are written unless they are
/// unfinished or of another text than the builder has; a record whose kernel is not defined is left out
/// as well. Throws IoError, and InvalidArgument if nothing remains.
TunedPack write_tuned_pack(const std::filesystem::path& path, KernelBuilder& builder,
                           const std::vector<TuningRecord>& records,
                           const TunedPackOptions& options = {});

}  // namespace eflow::jit

EFLOW_EXPORT_END
