#pragma once
// StepClips: the clips of a trainer's steps: which they are, read ahead of time, and on their way to
// the device while it works.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "eflow/core/comm/shard_tree.hpp"
#include "eflow/core/transfer/upload.hpp"
#include "eflow/io/dataset/loader.hpp"
#include "eflow/soflow/objective/objective.hpp"
#include "eflow/trainer/data/batch_mix.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {

class StepClips {
 public:
  /// `options` are checked: batch / (shards accumulation) is a whole number. `own`: the shards of
  /// this rank.
  StepClips(const io::ClipSource* source, const TrainerOptions& options,
            const comm::ShardRange& own);

  /// Micro-batches of a step on this rank.
  [[nodiscard]] std::int64_t units() const { return units_; }
  /// Micro-batch `i` of the step that follows `step` finished ones: one part for each source that has
  /// clips in it. Appends their ids to *ids. Micro-batches must be asked for in order, step by step.
  [[nodiscard]] std::vector<soflow::Batch> next(std::int64_t step, std::int64_t i,
                                                std::vector<std::int64_t>* ids);
  /// Begins to upload the micro-batch after the last one that next() returned, as far as its clips
  /// are read. The device works meanwhile.
  void upload_ahead();
  /// Another step follows than the next one.
  void restart();

  /// The clips of a step, of all ranks, source by source.
  [[nodiscard]] std::vector<StepClip> of_step(std::int64_t step) const;
  /// Their shapes [C, T, H, W] and numbers.
  [[nodiscard]] std::vector<std::pair<Shape, std::int64_t>> shapes_of(std::int64_t step) const;

 private:
  /// Clips of one source, on their way to the device.
  struct Clips {
    io::Batch host;  ///< without the values
    Upload x0, context;
  };
  /// A source and its prefetching loader, which is created when it is first needed.
  struct Stream {
    const io::ClipSource* source;
    std::unique_ptr<io::Loader> loader = nullptr;
    Tensor null_context = {};                ///< [L, E] or undefined
    std::unique_ptr<Clips> ahead = nullptr;  ///< of the next micro-batch; null: not read yet
  };
  [[nodiscard]] static std::unique_ptr<Clips> upload(io::Batch batch);
  [[nodiscard]] std::unique_ptr<io::Loader> open_loader(std::size_t stream, std::int64_t unit);
  /// The clips of a source in micro-batch `unit` of this rank, counted over all steps.
  [[nodiscard]] BatchMix::Part part_of_unit(std::size_t stream, std::int64_t unit) const;

  std::int64_t batch_, units_;
  std::int64_t unit_size_;  ///< clips of a micro-batch
  std::int64_t before_;     ///< micro-batches of a step on the ranks before
  std::uint64_t seed_;
  BatchMix mix_;
  std::vector<Stream> streams_;  ///< last, as their readers call part_of_unit() until they end
};

}  // namespace eflow::trainer
