#pragma once
// Where a training step's time goes, on this machine, for a given configuration.

#include "eflow/core/trace.hpp"
#include "eflow/io/clip_source.hpp"
#include "eflow/nn/dit_config.hpp"
#include "eflow/trainer/config.hpp"
#include "eflow/trainer/trainer.hpp"

namespace eflow::trainer {

struct StepBench {
  double step_s = 0;  ///< median over the measured steps; the parts below are of that step
  StepTimes times;
  double gemm_s = 0;           ///< what the step's matrix products take when run alone
  double gflop = 0;            ///< useful, of one step
  double peak_gflops = 0;      ///< FMA peak of all threads, measured beside the steps
  std::size_t peak_bytes = 0;  ///< of tensors
  std::int64_t parameters = 0, tokens = 0;
  int threads = 0;
  nn::DiTConfig model;  ///< what ran, for a twin to copy
  [[nodiscard]] double gflops() const { return gflop / step_s; }
};

/// Runs one step to warm up and `steps` measured ones on clips of `source`. Uses the default device. A trace gets one more
/// step, kernel by kernel.
[[nodiscard]] StepBench bench_step(const Config& config, const io::ClipSource& source,
                                   std::int64_t steps, std::shared_ptr<Trace> trace = nullptr);

}  // namespace eflow::trainer
