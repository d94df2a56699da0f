#pragma once
// Workload: a kernel with operands of its own, at sizes that the user names, for the tuner and
// `eflow jit bench`. The module that owns a kernel supplies its workload; this file is independent
// of tensors.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/shape_bucket.hpp"
#include "eflow/jit/runtime.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

class TuningTarget;

/// A repeatable launch whose result can be checked. The functions own their operands through their
/// captures.
struct Workload {
  ShapeBucket shape = {};  ///< the shape that the kernel's launches pass to Runtime::tuned
  double flops = 0;        ///< useful operations per launch; 0 = unknown
  /// Launches once. The KernelSpec must be a prepared specialisation of the kernel.
  std::function<void(const KernelSpec&)> launch = {};
  /// Called before a checked launch: fills the outputs with a value that no kernel computes and
  /// restores operands that are updated in place.
  std::function<void()> clear = {};
  /// The last launch's result, copied to the host.
  std::function<std::vector<double>()> result = {};
  /// Allowed difference from the default config's result: max |difference| / max |value|.
  double tolerance = 1e-5;
  /// Set if the config space to tune is not that of a kernel.
  std::shared_ptr<const TuningTarget> target = nullptr;
};

/// A size of a workload that the user may set.
struct SizeParameter {
  std::string name = "";
  std::int64_t value = 1;  ///< default
};

/// A kernel, or a named operation of a vendor library, that can be tuned and timed.
struct TunableKernel {
  KernelDefinition definition = {};  ///< an operation of a vendor library has a name and no text
  std::vector<SizeParameter> sizes = {};
  /// Allocates and fills the operands. `sizes` has the order of the member `sizes`. Throws
  /// InvalidArgument.
  std::function<Workload(Runtime&, const KernelSpec&, const std::vector<std::int64_t>& sizes)>
      workload = {};
  /// Returns the KernelSpec with the config that an untuned op would use; tunables that the user set
  /// (nonzero) are kept. Empty: the defaults of the config space.
  std::function<KernelSpec(Backend, const KernelSpec&, const std::vector<std::int64_t>& sizes)>
      default_config = {};

  [[nodiscard]] bool is_text() const { return !definition.text.empty(); }
};

/// Adds the definitions of those kernels that have a text.
void define_texts(KernelDefinitions& definitions, const std::vector<TunableKernel>& kernels);

/// One kernel to tune, with sizes in the order of its TunableKernel.
struct TuningJob {
  KernelRef kernel = {};
  std::vector<std::int64_t> sizes = {};
};

/// Sets clear() and result() of a workload whose only output is a host vector of float, double or
/// bfloat16: clear() fills it with NaN, result() returns all elements.
template <class T>
void use_host_output(Workload& workload, std::shared_ptr<std::vector<T>> output) {
  workload.clear = [output] {
    for (T& x : *output) x = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
  };
  workload.result = [output] {
    std::vector<double> out;
    for (const T& x : *output) out.push_back(static_cast<double>(static_cast<float>(x)));
    return out;
  };
}

/// Returns max |a - b| / max |b|; infinity if the sizes differ or `a` has a NaN where `b` has none.
[[nodiscard]] double relative_difference(const std::vector<double>& a,
                                         const std::vector<double>& b);

}  // namespace eflow::jit

EFLOW_EXPORT_END
