#pragma once
// StepRecorder: writes replay bundles of a run's steps: the state before a step, its clips and its
// outcome.

#include <filesystem>
#include <functional>
#include <vector>

#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/trainer/saving/background_saver.hpp"
#include "eflow/trainer/step/side_output.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {

class StepRecorder {
 public:
  /// `sources`: of a batch, in the order of StepClip::source. All must outlive this object.
  StepRecorder(const Trainer* trainer, std::vector<const io::ClipSource*> sources,
               comm::Communicator* ranks);

  /// All ranks. Writes the bundle of the trainer's last step(), which must have changed nothing. Its
  /// number is `step`. `describe` is called on rank 0; its request saves the state into `bundle`. A
  /// failure is a warning.
  void record(std::int64_t step, const std::filesystem::path& bundle,
              const std::function<SaveRequest()>& describe);

 private:
  void write_step(std::int64_t step, const std::filesystem::path& bundle) const;

  const Trainer& trainer_;
  std::vector<const io::ClipSource*> sources_;
  comm::Communicator& ranks_;
  SideOutput bundles_;
};

}  // namespace eflow::trainer
