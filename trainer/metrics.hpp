#pragma once
// metrics.jsonl: one object a step, steps without gap or duplicate whatever was killed when. A
// writer that resumes from a checkpoint cuts the file after that checkpoint's step; what follows is
// written again by the same steps.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "eflow/base/atomic_file.hpp"

namespace eflow::trainer {

/// What one step measured. Times are in seconds, losses and errors are means over the clips of their group: NaN where there
/// were none.
struct StepMetrics {
  std::int64_t step = 0;                  ///< finished steps, this one included
  double loss = 0;                        ///< what was minimised
  double loss_fm = 0, loss_scm = 0;       ///< weighted losses of the two groups
  double fm_mse = 0, scm_mse = 0;         ///< raw mean squared errors of the two groups
  double loss_mva = 0, mva_mse = 0;       ///< of mean-velocity additivity
  double weak_mse = 0;                    ///< of the weak path
  double matching_mse = 0, fake_mse = 0;  ///< on-policy: mean g^2, error of the learned score
  double scm_drift = 0;  ///< rms(dq) / rms(v_tgt) of consistency, see soflow/drift_alarm.hpp
  std::optional<double>
      eval_mse;          ///< held-out raw flow-matching error, when measured after this step
  double grad_norm = 0;  ///< global norm before clipping
  double lr = 0;
  double samples_per_s = 0, step_s = 0, data_wait_s = 0;
  std::int64_t tokens = 0,
               kept_tokens = 0;  ///< of one step's batch: all, and those of the middle blocks
  double mfu = 0;                ///< useful FLOP/s over the machine's FMA peak
  std::string ids_hash;          ///< of the sample ids of the batch
};

/// The line of metrics.jsonl, without the line break. Numbers read back to the same bits.
[[nodiscard]] std::string to_json_line(const StepMetrics& metrics);

class MetricsWriter {
 public:
  /// Opens or creates `path` to go on after `step`: later lines and a torn last line are cut off.
  /// Throws IoError; CorruptData if lines up to `step` are missing (an empty file has no history at all).
  MetricsWriter(std::filesystem::path path, std::int64_t step);

  /// Appends one line with a single write. Throws NoSpaceError or IoError.
  void append(const StepMetrics& metrics);
  /// Makes what was appended durable; called before a checkpoint is committed.
  void sync();

 private:
  std::filesystem::path path_;
  FileDescriptor file_;
};

}  // namespace eflow::trainer
