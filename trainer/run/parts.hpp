#pragma once
// Parts: data, networks, objective and trainer of a run, put together as its configuration says.

#include <memory>
#include <optional>
#include <vector>

#include "eflow/soflow/anyflow/anyflow.hpp"
#include "eflow/soflow/objective/objective.hpp"
#include "eflow/trainer/data/buckets.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/guard/guarded_source.hpp"
#include "eflow/trainer/run/on_policy_run.hpp"
#include "eflow/trainer/step/trainer.hpp"

namespace eflow::trainer {

/// The clips that a run reads.
struct Clips {
  DataSets sets = {};
  std::vector<Bucket> buckets = {};  ///< may refer to `sets`
  /// With data.on_error other than "error": the damaged clips, and for each source of a batch, in the
  /// order of StepClip::source, the guard that replaces them.
  std::shared_ptr<DamageList> damage = {};
  std::vector<const GuardedSource*> guards = {};
};

/// Opens the clips of a run and checks that they have what the model takes. Throws as open_data(),
/// open_buckets() and check_condition().
[[nodiscard]] Clips open_clips(const Config& config);

/// Each member may refer to those declared before it.
struct Parts {
  /// `ranks` must outlive this object. Throws if a bucket does not fit the model, and what the parts
  /// throw.
  Parts(const Config& config, Clips clips, comm::Communicator* ranks);
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  /// The sources of a batch, in the order of StepClip::source.
  [[nodiscard]] std::vector<const io::ClipSource*> sources() const;

  DataSets data;
  std::vector<Bucket> buckets;
  std::shared_ptr<DamageList> damage;
  std::vector<const GuardedSource*> guards;
  std::unique_ptr<nn::VideoDiT> model, average;
  soflow::EFlowObjective objective;
  soflow::AnyFlowObjective anyflow;
  std::optional<double> level = {};  ///< of `anyflow`, in a step of several micro-batches
  std::unique_ptr<OnPolicyRun> on_policy;
  Trainer trainer;

 private:
  /// The function that objective.kind minimises.
  [[nodiscard]] Objective loss_of(const Config& config);
};

}  // namespace eflow::trainer
