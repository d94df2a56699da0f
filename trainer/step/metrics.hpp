#pragma once
// metrics.jsonl: one JSON object per step, without gaps or duplicates even if the process is
// killed. When a run resumes, the writer truncates the file after the checkpoint's step; the
// repeated steps then write the same lines again.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// The measurements of one step. Times are in seconds. Losses and errors are means over the clips
/// of their group, NaN if the group is empty.
struct StepMetrics {
  std::int64_t step = 0;             ///< finished steps, including this one
  double loss = 0;                   ///< the minimised loss
  double loss_fm = 0, loss_scm = 0;  ///< weighted losses: flow matching, solution consistency
  double fm_mse = 0, scm_mse = 0;    ///< their raw mean squared errors
  double loss_mva = 0, mva_mse = 0;  ///< the same of mean-velocity additivity
  double weak_mse = 0;               ///< raw error of the weak path
  double matching_mse = 0;           ///< on-policy: mean squared matching gradient
  double fake_mse = 0;               ///< on-policy: error of the learned score
  double scm_drift =
      0;  ///< rms(dq) / rms(v_tgt) of consistency, see soflow/objective/drift_alarm.hpp
  std::optional<double> eval_mse = {};  ///< held-out error, if measured after this step
  double grad_norm = 0;                 ///< global norm before clipping
  std::int64_t skipped = 0;             ///< steps so far that made no update (skip_nonfinite)
  std::int64_t replaced = 0;            ///< clips of the batch that were damaged (data.on_error)
  std::int64_t damaged = 0;             ///< different damaged clips that batches have had so far
  double lr = 0;
  double samples_per_s = 0, step_s = 0, data_wait_s = 0;
  std::int64_t tokens = 0;       ///< of the batch
  std::int64_t kept_tokens = 0;  ///< of those, tokens that the middle blocks see
  double mfu = 0;                ///< useful FLOP/s over the device's measured peak
  /// With several ranks: time that this rank waited for the others and for data on its way
  /// (exposed), and time in which data was on its way while it computed (hidden).
  std::optional<double> comm_s = {}, comm_hidden_s = {};
  std::string ids_hash = {};  ///< hash of the batch's clip ids
};

/// The line of metrics.jsonl, without the line break. Numbers parse back to the same bits; a value
/// that is not finite becomes null.
[[nodiscard]] std::string to_json_line(const StepMetrics& metrics);

/// Appends to metrics.jsonl. Lines that cannot be written stay in memory, in order, and the next call
/// writes them first. One writer per file; not thread-safe.
class MetricsWriter {
 public:
  /// Opens or creates `path` and truncates it after the line of `step`. Throws IoError, or
  /// CorruptData if a line up to `step` is missing. An empty file is accepted: it is the file of a
  /// run that started from another run's checkpoint.
  MetricsWriter(std::filesystem::path path, std::int64_t step);

  /// Appends one line, together with those that are pending. Throws NoSpaceError or IoError; the
  /// line is then pending, and the file ends with a complete line.
  void append(const StepMetrics& metrics);
  /// Appends complete lines of text, in the same way.
  void append_lines(std::string_view lines);
  /// Writes pending lines and returns a further descriptor of the file. fsync of it makes all lines
  /// durable, on any thread; done before a checkpoint is committed. Throws as append() does.
  [[nodiscard]] FileDescriptor flush();
  /// The lines that could not be written yet.
  [[nodiscard]] const std::string& pending() const { return pending_; }
  /// Whether `path` names the open file.
  [[nodiscard]] bool is_at(const std::filesystem::path& path) const;
  /// Writes all lines into a new file at `path`: for a run whose folder was removed or moved. The
  /// old file must not be damaged, but need no longer have a name. Throws as append() does.
  void move_to(const std::filesystem::path& path);

 private:
  void write_pending();
  std::string pending_;
  std::uint64_t size_ = 0;  ///< of the complete lines in the file
  std::filesystem::path path_;
  FileDescriptor file_;
};

}  // namespace eflow::trainer

EFLOW_EXPORT_END
