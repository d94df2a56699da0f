#pragma once
// A kernel's config space: constants of its Spec that change how fast it is and not what it computes (tile sizes, stages).
// A text declares them with its KernelDefinition; the tuner tries them; callers that never tune get the first of each.
//
//   .space = {.tunables = {{"rows", 2, {64, 96, 128}}, {"columns", 3, {128, 64}}},     // $c2 and $c3 of the expression
//             .fits = [](const Spec& s, const DeviceLimits& d) {
//               return s.constants[2] * s.constants[3] * 4 <= d.l2_bytes; }}

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "eflow/jit/spec.hpp"

namespace eflow::jit {

/// What a config has to fit into.
struct DeviceLimits {
  std::string name;  ///< "AMD EPYC 9655 96-Core Processor, 2 threads", "NVIDIA H100 80GB HBM3"
  std::string arch;  ///< "avx512", "sm_90a"
  int threads = 1;   ///< of the CPU pool; multiprocessors of a GPU
  std::int64_t l1_bytes = 0;     ///< first-level data cache of a core; of a GPU: 0
  std::int64_t l2_bytes = 0;     ///< second-level cache of a core, or of the whole GPU
  std::int64_t block_bytes = 0;  ///< a block's scratch on the CPU, its shared memory on a GPU
};

struct Tunable {
  std::string name;
  int constant = 0;         ///< index into Spec::constants
  std::vector<int> values;  ///< the first is the default
};

struct ConfigSpace {
  std::vector<Tunable> tunables;
  /// The default is what the caller's Spec has, since it follows from sizes that a Spec does not know; the lists are in no
  /// order, and what is tuned is kept under the Spec with its tunables 0.
  bool default_is_the_callers = false;
  /// Whether a config can run at all; empty: all can. Called with Specs whose tunables are set.
  std::function<bool(const Spec&, const DeviceLimits&)> fits;

  [[nodiscard]] bool empty() const { return tunables.empty(); }
  /// `spec` with every tunable at its default.
  [[nodiscard]] Spec with_defaults(Spec spec) const;
  /// What all configs of `spec` have in common, as the tuning database names it.
  [[nodiscard]] Spec without_config(Spec spec) const;
  /// `spec` with the tunables at these values, in their order.
  [[nodiscard]] Spec with_values(Spec spec, const std::vector<int>& values) const;
  [[nodiscard]] std::vector<int> values_of(const Spec& spec) const;
  /// Whether every tunable of `spec` has one of its values and `fits` agrees.
  [[nodiscard]] bool contains(const Spec& spec, const DeviceLimits& limits) const;
  /// All configs of `spec` that fit, the default first and there in any case, then in the order of the lists.
  [[nodiscard]] std::vector<Spec> configs(const Spec& spec, const DeviceLimits& limits) const;
};

/// This machine's CPU, running kernels of instruction set `arch` on `threads` threads.
[[nodiscard]] DeviceLimits host_limits(const std::string& arch, int threads);

}  // namespace eflow::jit
