#pragma once
// A cuBLASLt product with generated operands, as a subject of the tuner, which chooses among its
// algorithms. Internal to core.

#include <memory>
#include <vector>

#include "eflow/core/cuda/cublas_gemm.hpp"
#include "eflow/core/cuda/product_key.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/tuning_target.hpp"
#include "eflow/kernels_src/args/gemm.h"

namespace eflow::detail {

/// Threads: one at a time.
class CublasTuning final : public jit::TuningTarget {
 public:
  /// Maximum number of algorithms requested from the library.
  static constexpr int kMostAlgorithms = 16;

  /// sizes: m, n, k, problems. Throws InvalidArgument if the KernelSpec does not name a product, the
  /// library does not support it, or there is no library or GPU.
  CublasTuning(const jit::Runtime& runtime, const jit::KernelSpec& spec,
               const std::vector<std::int64_t>& sizes);

  /// Computes C = A B with the KernelSpec's epilogue, by the algorithm that its kProductChoice selects.
  void launch(const jit::KernelSpec& spec);
  /// Fills the rows of C that result() reads with NaN, so that a stale result is detected.
  void clear();
  /// Returns some hundred evenly spaced rows of C: all of C may be too large as doubles.
  [[nodiscard]] std::vector<double> result() const;
  [[nodiscard]] jit::ShapeBucket shape() const;
  /// Relative difference allowed between the results of two algorithms.
  [[nodiscard]] double tolerance() const;

  [[nodiscard]] jit::TuningRecord blank() const override;
  [[nodiscard]] jit::KernelSpec spec_of(const jit::ConfigRecord& config) const override;
  void prepare(const std::vector<jit::ConfigRecord*>& configs, const Say& say) const override;

 private:
  struct Matrix;
  Tensor matrix(const Matrix& m, bool fill);
  void set_operands(const std::vector<std::int64_t>& sizes);
  [[nodiscard]] std::vector<long long> sampled_rows() const;

  jit::KernelSpec spec_;
  DType in_, out_;
  jit::DeviceLimits limits_;
  DevicePtr device_;
  std::vector<Tensor> memory_;
  args::Gemm args_{};
  std::unique_ptr<CublasGemm> gemm_;
  std::vector<jit::LtAlgo> algorithms_;
};

}  // namespace eflow::detail
