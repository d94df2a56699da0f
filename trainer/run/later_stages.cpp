#include "eflow/trainer/run/later_stages.hpp"

#include <optional>

#include "eflow/core/base/log.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::trainer {
namespace {

std::optional<io::Checkpoint> newest(const Stage& stage) {
  return io::CheckpointStore(RunDirectory(stage.out).checkpoints()).latest_good();
}

/// Why `later` does not follow from `earlier`; "" if it does or has not begun. A checkpoint without
/// a record of where it began, written by an earlier version, is taken to follow.
std::string fault_of(const Stage& earlier, const Stage& later) {
  if (later.config.train.init_from != earlier.out.string()) return "";
  const auto begun = newest(later);
  if (!begun) return "";
  const auto base = newest(earlier);
  const auto origin = info_of(*begun).history.init;
  const std::string began =
      str(later.out.string(), " began from ", origin ? str("step ", origin->step, " of ") : "",
          earlier.out.string());
  if (!base) return began + ", which has no checkpoints any more and would be trained again";
  const std::int64_t last = earlier.config.train.iterations;
  if (base->step() < last)
    return str(began, ", which is at step ", base->step(), " and would be trained on to step ",
               last);
  if (origin && origin->digest != base->digest("ema/"))
    return str(began, ", which has other weights now, at step ", base->step());
  return "";
}

/// Moves the folder of a stage to NAME.set-aside-N next to it.
void set_aside(const Stage& stage, const Say& say) {
  if (!path_exists(stage.out)) return;
  const FileLock lock(stage.out / "run.lock");
  std::filesystem::path aside;
  for (int n = 1; aside.empty() || path_exists(aside); ++n)
    aside = stage.out.string() + str(".set-aside-", n);
  rename_durably(stage.out, aside);
  say(str("moved ", stage.out.string(), " to ", aside.string()));
}

}  // namespace

void check_later_stages(const std::vector<Stage>& stages, LaterStages what, const Say& say) {
  for (std::size_t n = 1; n < stages.size(); ++n) {
    const std::string fault = fault_of(stages[n - 1], stages[n]);
    if (fault.empty()) continue;
    switch (what) {
      case LaterStages::kRefuse:
        throw CheckpointError(
            str("[stages] ", fault, "; --later-stages redo trains ", stages[n].out.string(),
                " and the stages after it again (their folders are moved aside), --later-stages "
                "keep leaves them as they are"));
      case LaterStages::kKeep:
        log_warning("[stages] ", fault, "; it stays as it is");
        break;
      case LaterStages::kRedo:
        say(str("[stages] ", fault, ": training it and the stages after it again"));
        for (std::size_t later = n; later < stages.size(); ++later) set_aside(stages[later], say);
        return;
    }
  }
}

}  // namespace eflow::trainer
