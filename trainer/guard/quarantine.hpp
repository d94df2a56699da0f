#pragma once
// Quarantine: the damaged clips of a run over all of its ranks, and quarantine.jsonl, where a resumed
// run finds them again.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "eflow/trainer/guard/damage.hpp"
#include "eflow/trainer/guard/guarded_source.hpp"
#include "eflow/trainer/step/side_output.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {

/// All ranks must call the members together; they then know the same clips. `path` is the list's
/// file, which rank 0 writes.
class Quarantine {
 public:
  /// `guards`: of each source of a batch, in the order of StepClip::source. They and `ranks` must
  /// outlive this object. `on_error`: data.on_error.
  Quarantine(std::shared_ptr<DamageList> list, std::vector<const GuardedSource*> guards,
             std::string on_error, comm::Communicator* ranks);

  /// Takes the list as it was after `step`. `lines`: on rank 0, the content of the file. Returns a
  /// message for the user; empty if no clip was damaged. Throws CorruptData.
  [[nodiscard]] std::string load(const std::string& lines, const std::filesystem::path& path,
                                 std::int64_t step);
  /// Notes which clips of a finished step were damaged, on any rank, and fills StepMetrics::replaced
  /// and damaged.
  void note(const std::vector<StepClip>& clips, const std::filesystem::path& path,
            StepMetrics* metrics);
  /// Throws CorruptData if there are more damaged clips than data.on_error allows.
  void require_few(const StepMetrics& metrics, const std::filesystem::path& path) const;

 private:
  std::shared_ptr<DamageList> list_;
  std::vector<const GuardedSource*> guards_;
  std::string on_error_;
  comm::Communicator& ranks_;
  SideOutput files_;
  bool is_news_ = false;  ///< whether a damaged clip was met that the file does not list yet
};

}  // namespace eflow::trainer
