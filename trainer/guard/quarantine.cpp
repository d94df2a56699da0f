#include "eflow/trainer/guard/quarantine.hpp"

#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/comm/communicator.hpp"

namespace eflow::trainer {

Quarantine::Quarantine(std::shared_ptr<DamageList> list, std::vector<const GuardedSource*> guards,
                       std::string on_error, comm::Communicator* ranks)
    : list_(std::move(list)),
      guards_(std::move(guards)),
      on_error_(std::move(on_error)),
      ranks_(*ranks) {}

std::string Quarantine::load(const std::string& lines, const std::filesystem::path& path,
                             std::int64_t step) {
  list_->merge(ranks_.broadcast(lines, 0, {"damaged clips", step}), path.string(), step);
  if (list_->met() == 0) return "";
  return str(list_->met(), " damaged clips are replaced, as ", path.string(),
             " says; once the data set is repaired, remove that file");
}

void Quarantine::note(const std::vector<StepClip>& clips, const std::filesystem::path& path,
                      StepMetrics* metrics) {
  for (const std::string& lines :
       ranks_.gather(list_->take_new(), {"damaged clips", metrics->step}))
    list_->merge(lines, "another rank's list");
  for (const StepClip& clip : clips) {
    const GuardedSource& guard = *guards_[clip.source];
    if (!guard.is_damaged(clip.index)) continue;
    ++metrics->replaced;
    is_news_ |= guard.meet(clip.index, metrics->step);
  }
  metrics->damaged = list_->met();
  if (!is_news_ || !ranks_.is_first()) return;
  files_.attempt("could not write quarantine.jsonl", [&] {
    write_file_atomically(path, list_->met_lines());
    is_news_ = false;
  });
}

void Quarantine::require_few(const StepMetrics& metrics, const std::filesystem::path& path) const {
  if (metrics.damaged <= parse_on_error(on_error_).most) return;
  throw CorruptData(str("[train] step ", metrics.step, ": ", metrics.damaged,
                        " damaged clips so far, listed in ", path.string(),
                        "; data.on_error = ", on_error_,
                        " ends the run: repair the data set by packing it again and remove the "
                        "list, or allow more"));
}

}  // namespace eflow::trainer
