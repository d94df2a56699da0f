#pragma once
// One of a library's products with operands of its own, and its algorithms as what is tuned. Internal to core.

#include <memory>
#include <vector>

#include "eflow/core/cublas_gemm.hpp"
#include "eflow/core/product_key.hpp"
#include "eflow/core/tensor.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tuning_subject.hpp"
#include "eflow/kernels/args/gemm.h"

namespace eflow::detail {

class ProductTrial final : public jit::TuningSubject {
 public:
  /// How many algorithms the library is asked for.
  static constexpr int kMostAlgorithms = 16;

  /// sizes: m, n, k, problems. Throws InvalidArgument where the library has no such product or is not there, and for a
  /// Spec that names none.
  ProductTrial(const jit::Runtime& runtime, const jit::Spec& spec,
               const std::vector<std::int64_t>& sizes);

  /// By the algorithm that the Spec chooses; C = A B, with the Spec's epilogue.
  void launch(const jit::Spec& spec);
  /// NaN into the rows of C that result() reads: some hundred, evenly spaced, as C may be larger than memory for doubles.
  void clear();
  [[nodiscard]] std::vector<double> result() const;
  [[nodiscard]] jit::ShapeBucket shape() const;
  [[nodiscard]] double tolerance() const;

  [[nodiscard]] jit::TuningRecord blank() const override;
  [[nodiscard]] jit::Spec spec_of(const jit::ConfigRecord& config) const override;
  void prepare(const std::vector<jit::ConfigRecord*>& configs, const Say& say) const override;

 private:
  struct Matrix;
  Tensor matrix(const Matrix& m, bool fill);
  void set_operands(const std::vector<std::int64_t>& sizes);
  [[nodiscard]] std::vector<long long> sampled_rows() const;

  jit::Spec spec_;
  DType in_, out_;
  jit::DeviceLimits limits_;
  DevicePtr device_;
  std::vector<Tensor> memory_;
  args::Gemm args_{};
  std::unique_ptr<CublasGemm> gemm_;
  std::vector<jit::LtAlgo> algorithms_;
};

}  // namespace eflow::detail
