#pragma once
// Config: everything that decides a training run. Each member is a section of a configuration file;
// where a part of the library takes options of its own, the section holds that part's struct, so
// that a value exists once. The initialisers are the defaults. options_of() declares the keys: what
// each is called, which member it sets, its range and its help.

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/nn/optim/adamw.hpp"
#include "eflow/nn/optim/ema.hpp"
#include "eflow/nn/optim/schedule.hpp"
#include "eflow/soflow/exact/exact_flow.hpp"
#include "eflow/soflow/objective/objective_options.hpp"
#include "eflow/soflow/sampling/sampler.hpp"
#include "eflow/trainer/options/options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// [exact]: clips of a distribution with a known flow instead of a data set.
struct ExactConfig {
  bool enabled = false;  ///< exact.kind other than "none"
  soflow::ExactOptions flow = {};
};

/// [data]
struct DataConfig {
  ExactConfig exact = {};
  std::string dir = {};
  std::string eval = "split";
  double eval_share = 0.05;
  std::string clip = {}, buckets = {};
  std::string on_error = "error";   ///< parsed by parse_on_error()
  std::int64_t context_length = 0;  ///< tokens; 0: the data set's
};

/// What a network is conditioned on.
enum class ModelCondition {
  kAuto,       ///< what model.preset takes; without a preset, what the data have
  kNone,       ///< nothing
  kLabel,      ///< class labels
  kText,       ///< context tokens, by cross-attention
  kLabelText,  ///< both
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 5> kModelConditionNames = {"auto", "none", "label",
                                                                         "text", "label+text"};
[[nodiscard]] std::string_view name_of(ModelCondition condition);

/// [model]: the network. dit_config() adds what the data decide (clip format, classes, context) and
/// what other keys decide (hidden, guidance_embedding).
struct ModelConfig : nn::DiTConfig {
  ModelConfig() {
    position_table = true;
    prediction = nn::Prediction::kData;
  }
  std::string preset = "custom";
  /// Set by apply_preset(), after which `preset` is a record of where the values came from.
  bool preset_applied = false;
  double mlp_ratio = 4;                              ///< hidden / dim
  ModelCondition condition = ModelCondition::kAuto;  ///< checked by check_condition()
};

/// What a new run takes over from train.init_from.
enum class InitState {
  kAverage,  ///< the averaged weights; moments and average start anew
  kAll,      ///< weights, moments and average, with their numbers of updates
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 2> kInitStateNames = {"average", "all"};
[[nodiscard]] std::string_view name_of(InitState state);

/// What a run does when it diverges (trainer/guard/loss_sentinel.hpp).
enum class OnDivergence {
  kWarn,  ///< says so and goes on
  kStop,  ///< ends; the weights after the last checkpoint are not saved
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 2> kOnDivergenceNames = {"warn", "stop"};
[[nodiscard]] std::string_view name_of(OnDivergence action);

/// [train]; train.recompute is model.recompute.
struct TrainConfig {
  std::int64_t iterations = 2000, batch = 32, accumulation = 1, threads = 0;
  std::int64_t shards = 0;         ///< 0: one per rank
  std::int64_t sequence = 1;       ///< ranks that divide the tokens of each clip
  double slice_mib = 2;            ///< of a rank, of a bucket of the gradient; 0: one bucket
  std::int64_t compare_every = 0;  ///< steps after which ranks compare their weights; 0: never
  double deadline = 600;           ///< seconds that a rank waits for the others
  std::uint64_t seed = 1;
  DType precision = DType::kF32;  ///< of the blocks
  std::int64_t skip_nonfinite = 0;
  OnDivergence on_divergence = OnDivergence::kWarn;
  std::string init_from = {}, freeze = {};
  InitState init_state = InitState::kAverage;
};

/// Which losses a run trains.
enum class ObjectiveKind {
  kEFlow,            ///< flow matching, solution consistency, additivity
  kAnyFlow,          ///< AnyFlow's forward flow-map training
  kAnyFlowOnPolicy,  ///< AnyFlow's on-policy distillation
};
/// Returns "eflow", "anyflow", "anyflow-on-policy".
[[nodiscard]] std::string_view name_of(ObjectiveKind kind);

/// [objective]; its keys guidance, velocity_mix and label_drop are members of Config::guidance.
struct ObjectiveConfig {
  ObjectiveKind kind = ObjectiveKind::kEFlow;
  double fm_share = 0.75, scm_scale = 0.5;
  soflow::AdaptiveWeight weight = {};
  /// iterations = 0: train.iterations; with stages, stages_of() sets iterations and first.
  soflow::RatioSchedule ratio = {.iterations = 0};
  soflow::LogitNormal t = {};  ///< of flow matching; also of consistency if scm_t is not set
  soflow::LogitNormal scm_t = {.deviation = 0};  ///< deviation = 0: as t
  soflow::LogitNormal s = {.mean = -1, .deviation = 0.8, .shift = 1};
  bool cfg_decay = false;
  soflow::GivenFrames given = {};
};

/// [drop]: kind (the key drop.tokens) and ratio, and in which steps tokens are dropped.
struct DropConfig : soflow::TokenDrop {
  double until = 1;  ///< share of the run
  std::int64_t dense_every = 0;
};

/// [mva]
struct MvaConfig {
  double share = 0, from = 0;
  soflow::JumpLaw jumps = {};
  soflow::MvaWeight weight = soflow::MvaWeight::kVelocity;
};

/// [anyflow]
struct AnyFlowConfig {
  std::string teacher = {};
  double teacher_guidance = 4, score_lr = 0;
  std::string rollouts = "2,4,8,16,50";
  bool cotrain = true;
};

/// [optim]; lr.total is ignored: train.iterations decides.
struct OptimConfig {
  nn::LearningRate lr = {
      .peak = 3e-3, .curve = nn::Curve::kCosine, .warmup = 150, .end_fraction = 0.05};
  nn::AdamWOptions adamw = {};
  double clip = 1;
};

/// [sample]
struct SampleConfig {
  std::int64_t every = 500, steps = 4, count = 9;
  std::uint64_t seed = 1;
  soflow::Sampler sampler = soflow::Sampler::kRenoise;
  double shift = 1, guidance = 4;
};

/// [eval]
struct EvalConfig {
  std::int64_t every = 250, clips = 64;
};

/// [log]
struct LogConfig {
  std::int64_t every = 10;
};

/// [checkpoint]
struct CheckpointConfig {
  std::int64_t every = 500, keep = 2, keep_every = 0, keep_best = 0;
  bool async = true;  ///< saves on a thread of its own
};

struct Config {
  DataConfig data = {};
  ModelConfig model = {};
  TrainConfig train = {};
  ObjectiveConfig objective = {};
  soflow::GuidanceOptions guidance = {.mix = 0.25, .label_drop = 0.1, .path_drop = 0.2};
  DropConfig drop = {};
  MvaConfig mva = {};
  AnyFlowConfig anyflow = {};
  OptimConfig optim = {};
  nn::EmaOptions ema = {.decay = 0.999};
  SampleConfig sample = {};
  EvalConfig eval = {};
  LogConfig log = {};
  CheckpointConfig checkpoint = {};
};

/// Declares every option once, bound to the members of `config`, which must outlive the result.
[[nodiscard]] std::vector<Option> options_of(Config& config);

/// Parses INI text and applies model.preset to the model.* keys that the text does not set.
/// Messages begin with `name` and a line number. Throws InvalidArgument listing all mistakes.
[[nodiscard]] Config parse_config(const std::string& text, const std::string& name);

/// Reads back what to_ini() wrote, perhaps in an older version: keys that the text does not set
/// keep their defaults, whatever model.preset says. Throws as parse_config() does.
[[nodiscard]] Config stored_config(const std::string& text, const std::string& name);

/// Returns the complete configuration as INI text; stored_config() reads the same values back.
[[nodiscard]] std::string to_ini(const Config& config);

/// Sets the model.* options for which given(key) is false to those of model.preset. Does nothing
/// for "custom" or if a preset was applied before.
void apply_preset(Config* config, const std::function<bool(const std::string& key)>& given);

/// Does the same for a Config filled in C++: a member that differs from ModelConfig() was given.
void apply_preset(Config* config);

/// Checks the rules between options (heads divide dim, warmup <= iterations, ...). Returns one
/// message for each rule that is broken.
[[nodiscard]] std::vector<std::string> problems_of(const Config& config);

/// Applies model.preset and checks the rules between options, as `eflow train` does with what it
/// parsed. run_training() calls it. Throws InvalidArgument listing every broken rule.
[[nodiscard]] Config resolved(Config config);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
