#include "eflow/trainer/guard/step_recorder.hpp"

#include <exception>
#include <utility>

#include "eflow/core/base/log.hpp"
#include "eflow/trainer/guard/recorded_step.hpp"
#include "eflow/trainer/ranks/state_part.hpp"

namespace eflow::trainer {

StepRecorder::StepRecorder(const Trainer* trainer, std::vector<const io::ClipSource*> sources,
                           comm::Communicator* ranks)
    : trainer_(*trainer), sources_(std::move(sources)), ranks_(*ranks) {}

void StepRecorder::record(std::int64_t step, const std::filesystem::path& bundle,
                          const std::function<SaveRequest()>& describe) {
  BackgroundSaver saver(&ranks_);
  std::exception_ptr problem = saver.try_save(step - 1, trainer_.state_parts(), describe);
  saver.finish(step);
  if (!ranks_.is_first()) return;
  bundles_.attempt(str("could not record step ", step, " for eflow replay"), [&] {
    for (const io::SaveOutcome& outcome : saver.take_outcomes())
      problem = outcome.error ? outcome.error : problem;
    if (problem) std::rethrow_exception(problem);
    write_step(step, bundle);
    log_warning("[train] recorded step ", step, "; to repeat it: eflow replay ", bundle.string());
  });
}

void StepRecorder::write_step(std::int64_t step, const std::filesystem::path& bundle) const {
  RecordedStep record{.step = step, .outcome = trainer_.outcome(), .sources = {}};
  const std::vector<StepClip> clips = trainer_.clips_of(step - 1);
  for (std::size_t j = 0; j < sources_.size(); ++j)
    record.sources.emplace_back(*sources_[j], clips, j);
  write_recorded_step(bundle / kRecordedStepName, record);
}

}  // namespace eflow::trainer
