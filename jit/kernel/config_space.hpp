#pragma once
// ConfigSpace: the constants of a KernelSpec that affect a kernel's speed but not its result (tile sizes,
// stages). Declared with the KernelDefinition. The tuner tries the combinations; untuned callers
// get the first value of each.
//
//   .space = {.tunables = {{"rows", 2, {64, 96, 128}},      // $c2 of the expression
//                          {"columns", 3, {128, 64}}},      // $c3
//             .fits = [](const KernelSpec& s, const DeviceLimits& d) {
//               return s.constants[2] * s.constants[3] * 4 <= d.l2_bytes; }}

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/spec.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// The resources of a device that configs must fit into.
struct DeviceLimits {
  std::string name = "";  ///< "AMD EPYC 9655 96-Core Processor, 2 threads", "NVIDIA H100 80GB HBM3"
  std::string arch = "";  ///< "avx512", "sm_90a"
  int threads = 1;        ///< threads of the CPU pool, or multiprocessors of the GPU
  std::int64_t l1_bytes = 0;     ///< L1 data cache of a core; 0 for a GPU
  std::int64_t l2_bytes = 0;     ///< L2 cache of a core, or of the whole GPU
  std::int64_t block_bytes = 0;  ///< scratch arena of a CPU thread, or shared memory of a GPU block
};

/// One constant that the tuner may vary.
struct Tunable {
  std::string name = "";
  int constant = 0;              ///< index into KernelSpec::constants
  std::vector<int> values = {};  ///< the first is the default
};

struct ConfigSpace {
  std::vector<Tunable> tunables = {};
  /// If true, the default config is that of the caller's KernelSpec, because it depends on sizes that a
  /// KernelSpec does not contain. The value lists are then unordered, and records are stored under the
  /// KernelSpec with its tunables set to 0.
  bool default_is_the_callers = false;
  /// Whether a config can run on a device; empty: every config can. Called with Specs whose
  /// tunables are set.
  std::function<bool(const KernelSpec&, const DeviceLimits&)> fits = {};

  [[nodiscard]] bool empty() const { return tunables.empty(); }
  /// Returns `spec` with every tunable at its default.
  [[nodiscard]] KernelSpec with_defaults(KernelSpec spec) const;
  /// Returns `spec` with its tunables normalised: the key that all its configs share in the tuning
  /// database.
  [[nodiscard]] KernelSpec without_config(KernelSpec spec) const;
  /// Returns `spec` with its tunables set to `values`, in their order.
  [[nodiscard]] KernelSpec with_values(KernelSpec spec, const std::vector<int>& values) const;
  /// The tunables of `spec`, in their order.
  [[nodiscard]] std::vector<int> values_of(const KernelSpec& spec) const;
  /// Whether every tunable of `spec` has one of its listed values and `fits` accepts the
  /// combination.
  [[nodiscard]] bool contains(const KernelSpec& spec, const DeviceLimits& limits) const;
  /// All configs of `spec` that fit: first the default, which is always included, then in the order
  /// of the lists.
  [[nodiscard]] std::vector<KernelSpec> configs(const KernelSpec& spec,
                                                const DeviceLimits& limits) const;
};

/// The limits of this machine's CPU when it runs kernels of instruction set `arch` on `threads`
/// threads.
[[nodiscard]] DeviceLimits host_limits(const std::string& arch, int threads,
                                       std::int64_t block_bytes);

}  // namespace eflow::jit

EFLOW_EXPORT_END
