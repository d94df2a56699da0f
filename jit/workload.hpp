#pragma once
// What the tuner and `eflow jit bench` run: a kernel with memory of its own, made for sizes that a user names. Whoever owns
// a kernel writes one; nothing of tensors is known here.

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "eflow/jit/runtime.hpp"
#include "eflow/jit/shape_bucket.hpp"

namespace eflow::jit {

class TuningSubject;

/// A launch that can be repeated, and judged. Its functions may keep memory alive by what they capture.
struct Workload {
  ShapeBucket shape;  ///< as the kernel's launches pass it to Runtime::tuned
  double flops = 0;   ///< useful ones of one launch; 0 = not said
  /// Makes one launch. The Spec is one of the kernel's, and prepared.
  std::function<void(const Spec&)> launch;
  /// Before a judged launch: results get a value that no kernel computes, what is changed in place its first value.
  std::function<void()> clear;
  /// What the last launch computed, on the host.
  std::function<std::vector<double>()> result;
  /// Largest |difference| from the default config's result, as a share of that one's largest |value|.
  double tolerance = 1e-5;
  /// What is tuned, where it is not the config space of a kernel.
  std::shared_ptr<const TuningSubject> subject = nullptr;
};

struct SizeParameter {
  std::string name;
  std::int64_t value = 1;  ///< where the user names none
};

/// A kernel that can be tuned and timed by name, or something of a library's that goes by one.
struct RunnableKernel {
  KernelDefinition definition;  ///< a library's has a name and no text
  std::vector<SizeParameter> sizes;
  /// Allocates and fills operands. `sizes` are in the order above. Throws InvalidArgument.
  std::function<Workload(Runtime&, const Spec&, const std::vector<std::int64_t>& sizes)> workload;
  /// A Spec with the config that its op takes untuned where the user names none, that is 0. Empty: the space's defaults.
  std::function<Spec(Backend, const Spec&, const std::vector<std::int64_t>& sizes)> default_config;

  [[nodiscard]] bool is_text() const { return !definition.text.empty(); }
};

/// Defines those that are made of a text.
void define_texts(KernelDefinitions& definitions, const std::vector<RunnableKernel>& kernels);

/// One kernel to tune, and for which sizes, in the order of its RunnableKernel.
struct TuningJob {
  KernelRef kernel;
  std::vector<std::int64_t> sizes;
};

/// clear() and result() of a workload whose only output lies in host memory, of float, double or bfloat16: NaN before, all
/// elements after.
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

/// The largest |a - b| as a share of the largest |b|; infinite when sizes differ or `a` has a NaN where b has none.
[[nodiscard]] double relative_difference(const std::vector<double>& a,
                                         const std::vector<double>& b);

}  // namespace eflow::jit
