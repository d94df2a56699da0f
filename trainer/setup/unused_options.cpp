#include "eflow/trainer/setup/unused_options.hpp"

#include <filesystem>
#include <initializer_list>
#include <map>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/options/option_text.hpp"

namespace eflow::trainer {
namespace {

using Keys = std::initializer_list<const char*>;

/// Why each key has no effect, by key; the first reason found is kept.
class Reasons {
 public:
  Reasons(const Config& config, const ClipFormat& clips)
      : c_(config), has_condition_(clips.classes > 0 || clips.context_dim > 0) {
    data();
    model();
    objective();
    guidance();
    anyflow();
    reports();
  }

  [[nodiscard]] const std::map<std::string, std::string>& all() const { return reasons_; }

 private:
  void unless(bool used, const std::string& reason, Keys keys) {
    if (used) return;
    for (const char* key : keys) reasons_.emplace(key, reason);
  }
  [[nodiscard]] std::string value_of(const char* key) const {
    Config copy = c_;
    for (const Option& option : options_of(copy)) {
      if (option.key == key) return str(key, " = ", describe_value(option));
    }
    return key;
  }

  void data() {
    const DataConfig& d = c_.data;
    const std::string exact = value_of("exact.kind");
    unless(d.exact.enabled, exact,
           {"exact.channels", "exact.frames", "exact.height", "exact.width", "exact.decay",
            "exact.own", "exact.spread", "exact.seed"});
    unless(d.exact.flow.kind == soflow::ExactKind::kGuided, exact, {"exact.own", "exact.spread"});
    unless(d.eval == "split", value_of("data.eval"), {"data.eval_share"});
    unless(d.dir.empty() || !std::filesystem::exists(d.dir), "data.dir gives the clips",
           {"data.clip"});
    unless(!d.exact.enabled, exact, {"data.clip"});
  }

  void model() {
    using enum nn::AttentionKind;
    const ModelConfig& m = c_.model;
    const std::string attention = value_of("model.attention");
    const bool gated = m.attention == kGated;
    unless(m.attention == kSla || m.attention == kVsa, attention,
           {"model.sparse_block", "model.sparse_share"});
    unless(gated, attention, {"model.gates"});
    unless(gated || m.attention == kSum || m.attention == kWindow, attention,
           {"model.window_frames", "model.window_index"});
    unless(m.attention != kSoftmax, attention, {"model.softmax_every"});
    unless(m.position_table, value_of("model.position_table"), {"model.position_scale"});
    unless(m.prediction == nn::Prediction::kData, value_of("model.prediction"),
           {"model.time_floor"});
    unless(!is_eflow(), value_of("objective.kind"), {"model.chunk_frames"});
  }

  void objective() {
    const std::string kind = value_of("objective.kind"), share = value_of("objective.fm_share");
    unless(is_eflow(), kind,
           {"objective.fm_share", "objective.p", "objective.eps", "objective.velocity_mix",
            "objective.cfg_decay"});
    for (const bool used : {is_eflow(), c_.objective.fm_share < 1}) {
      unless(used, is_eflow() ? share : kind,
             {"objective.r_schedule", "objective.r_init", "objective.r_end", "objective.scm_scale",
              "objective.scm_t_mean", "objective.scm_t_std", "objective.scm_t_shift",
              "objective.s_mean", "objective.s_std", "objective.s_shift"});
    }
    unless(c_.objective.ratio.curve != soflow::RatioCurve::kConstant,
           value_of("objective.r_schedule"), {"objective.r_init"});
    unless(c_.objective.scm_t.deviation > 0, value_of("objective.scm_t_std"),
           {"objective.scm_t_mean", "objective.scm_t_shift"});
    const bool measures = c_.eval.every > 0 && c_.data.eval != "none";
    unless(is_eflow() || measures, kind, {"objective.t_mean", "objective.t_std"});
    unless(c_.drop.kind != soflow::DropKind::kNone, value_of("drop.tokens"),
           {"drop.ratio", "drop.until", "drop.dense_every"});
    unless(c_.mva.share > 0, value_of("mva.share"),
           {"mva.from", "mva.nodes", "mva.shift", "mva.to_data", "mva.min_jump", "mva.weight"});
    unless(c_.mva.from < 1, value_of("mva.from"), {"mva.share"});
    unless(c_.objective.given.share > 0, value_of("objective.given_share"),
           {"objective.given_frames"});
    unless(c_.optim.lr.curve != nn::Curve::kConstant, value_of("optim.schedule"), {"optim.lr_end"});
  }

  void guidance() {
    const soflow::GuidanceOptions& g = c_.guidance;
    const bool weak = g.kind == soflow::Unconditional::kWeakPath;
    const bool guided = g.scale > 1 || g.scale_max > 1;
    const std::string kind = value_of("guidance.kind");
    unless(guided, value_of("objective.guidance"),
           {"objective.velocity_mix", "objective.cfg_decay"});
    unless(is_eflow(), value_of("objective.kind"), {"guidance.w_max", "guidance.per_sample"});
    unless(g.scale_max > g.scale, "guidance.w_max is not above objective.guidance",
           {"guidance.per_sample"});
    unless(weak, kind, {"guidance.path_drop"});
    unless(c_.objective.fm_share > c_.mva.share, "no clip trains flow matching",
           {"guidance.path_drop"});
    unless(!weak, kind, {"objective.label_drop"});
    unless(has_condition_, "the data have neither labels nor text", {"objective.label_drop"});
    unless(g.embed, value_of("guidance.embed"), {"sample.guidance"});
  }

  void anyflow() {
    const bool on_policy = c_.objective.kind == ObjectiveKind::kAnyFlowOnPolicy;
    unless(on_policy, value_of("objective.kind"),
           {"anyflow.teacher", "anyflow.teacher_guidance", "anyflow.score_lr", "anyflow.rollouts",
            "anyflow.cotrain"});
    unless(c_.anyflow.teacher != "exact", value_of("anyflow.teacher"),
           {"anyflow.teacher_guidance"});
    unless(!on_policy || c_.anyflow.cotrain, value_of("anyflow.cotrain"),
           {"objective.guidance", "objective.label_drop"});
  }

  void reports() {
    unless(c_.sample.every > 0, value_of("sample.every"),
           {"sample.steps", "sample.count", "sample.seed", "sample.sampler"});
    unless(c_.data.eval != "none", value_of("data.eval"), {"eval.every"});
    unless(c_.eval.every > 0, value_of("eval.every"), {"eval.clips"});
    unless(c_.data.eval != "none", value_of("data.eval"), {"eval.clips"});
  }

  [[nodiscard]] bool is_eflow() const { return c_.objective.kind == ObjectiveKind::kEFlow; }

  const Config& c_;
  bool has_condition_;
  std::map<std::string, std::string> reasons_;
};

}  // namespace

std::vector<UnusedOption> unused_options(const Config& config, const ClipFormat& clips) {
  Config defaults, now = config;
  defaults.model.preset = config.model.preset;
  apply_preset(&defaults);
  const Reasons reasons(config, clips);
  std::vector<UnusedOption> unused;
  for (const OptionDifference& d : differences(options_of(defaults), options_of(now))) {
    const auto found = reasons.all().find(d.key);
    if (found != reasons.all().end()) unused.push_back({d.key, d.now, found->second});
  }
  return unused;
}

std::string describe_unused(const Config& config, const ClipFormat& clips) {
  std::string text;
  for (const UnusedOption& option : unused_options(config, clips))
    text += str("\n  ", option.key, " = ", option.value, " (", option.reason, ")");
  return text.empty() ? "" : "settings without effect in this run:" + text;
}

}  // namespace eflow::trainer
