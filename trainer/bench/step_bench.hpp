#pragma once
// Benchmark of a training step: where its time goes on this machine, for a given configuration.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/trace.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/step/trainer.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct StepBench {
  double step_s = 0;            ///< seconds, median over the measured steps
  StepTimes times = {};         ///< the parts of that step
  double gemm_s = 0;            ///< seconds of the step's matrix products when run alone
  double gflop = 0;             ///< useful GFLOP per step
  double peak_gflops = 0;       ///< the device's peak, measured in the same run
  std::size_t peak_bytes = 0;   ///< peak tensor memory
  std::int64_t parameters = 0;  ///< of the model
  std::int64_t tokens = 0;      ///< per step
  int threads = 0;
  nn::DiTConfig model = {};  ///< the measured network, for a peer benchmark to copy
  [[nodiscard]] double gflops() const { return gflop / step_s; }
};

/// Runs one warm-up step and `steps` measured ones on clips of `source`, on the default device. If
/// `trace` is given, it records the kernels of one further step.
[[nodiscard]] StepBench bench_step(const Config& config, const io::ClipSource& source,
                                   std::int64_t steps, std::shared_ptr<Trace> trace = nullptr);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
