// [objective], [guidance], [drop], [mva] and [anyflow]: what a step minimises.

#include "eflow/trainer/config/sections.hpp"

namespace eflow::trainer {

std::vector<Option> objective_section(Config& config) {
  using enum soflow::RatioCurve;
  ObjectiveConfig& c = config.objective;
  soflow::GuidanceOptions& g = config.guidance;
  return {
      {"objective.kind",
       named(&c.kind,
             {ObjectiveKind::kEFlow, ObjectiveKind::kAnyFlow, ObjectiveKind::kAnyFlowOnPolicy}),
       "EFlow's losses, AnyFlow's forward flow-map training (guidance, label_drop, t_shift), or "
       "its on-policy distillation ([anyflow])."},
      {"objective.fm_share", &c.fm_share, between(0, 1),
       "Share of clips that train flow matching; the rest trains solution consistency."},
      {"objective.p", &c.weight.p, between(0, 4), "Power of the adaptive weight (mse + eps)^-p."},
      {"objective.eps", &c.weight.eps, between(1e-12, 10), "eps of the adaptive weight."},
      {"objective.r_schedule", named(&c.ratio.curve, {kExponential, kLinear, kCosine, kConstant}),
       "How r goes from r_init to r_end over the run, or over all of its stages."},
      {"objective.r_init", &c.ratio.init, between(1e-5, 1),
       "r at the first step: l = t + (s - t) r."},
      {"objective.r_end", &c.ratio.end, between(1e-5, 1), "r at the last step."},
      {"objective.r_steps", &c.ratio.iterations, between(0, 1e9), "steps",
       "Step at which r reaches r_end; default: the end of the run, of all stages together; 0: the "
       "end of the stage."},
      {"objective.r_from", &c.ratio.first, between(0, 1e9), "steps",
       "Step of the schedule of r at which the run begins; default in a stage: the steps of the "
       "stages before it."},
      {"objective.scm_scale", &c.scm_scale, between(0, 10),
       "Factor on the consistency gradient: 0.5 as in SoFlow's code, 1 as in its equation."},
      {"objective.velocity_mix", &g.mix, between(0.01, 1),
       "m: weight of the guided data velocity in the target, the rest is the model's own; used "
       "with guidance."},
      {"objective.guidance", &g.scale, between(1, 20),
       "w of the guided target w v + (1 - w) v_uncond; 1 trains without guidance."},
      {"objective.label_drop", &g.label_drop, between(0, 1),
       "Share of clips that train without their label or context; with guidance.kind = null."},
      {"objective.cfg_decay", &c.cfg_decay, "Fade the guidance out for t > 0.8."},
      {"objective.t_mean", &c.t.mean, between(-10, 10),
       "Mean of logit t, for flow matching and, unless scm_t_std is set, for consistency."},
      {"objective.t_std", &c.t.deviation, between(0.01, 10), "Standard deviation of logit t."},
      {"objective.t_shift", &c.t.shift, between(0.01, 100), "Shift k of t: k t / (1 + (k - 1) t)."},
      {"objective.scm_t_mean", &c.scm_t.mean, between(-10, 10),
       "Mean of logit t for consistency; with scm_t_std."},
      {"objective.scm_t_std", &c.scm_t.deviation, between(0, 10),
       "Standard deviation of logit t for consistency; 0: consistency uses t_mean, t_std and "
       "t_shift."},
      {"objective.scm_t_shift", &c.scm_t.shift, between(0.01, 100),
       "Shift k of t for consistency; with scm_t_std."},
      {"objective.s_mean", &c.s.mean, between(-10, 10), "Mean of logit s."},
      {"objective.s_std", &c.s.deviation, between(0.01, 10), "Standard deviation of logit s."},
      {"objective.s_shift", &c.s.shift, between(0.01, 100), "Shift k of s."},
      {"objective.given_share", &c.given.share, between(0, 1),
       "Share of clips that train with their first frames given, so that sampling can start from "
       "an image or continue a clip."},
      {"objective.given_frames", &c.given.most, between(1, 4096), "token frames",
       "Most first frames that such a clip is given; the number is drawn from 1 up."},
  };
}

std::vector<Option> guidance_section(soflow::GuidanceOptions& c) {
  return {
      {"guidance.kind", named(&c.kind, soflow::kUnconditionalNames),
       "v_uncond: the whole network without a condition, or its weak path (path-drop guidance)."},
      {"guidance.w_max", &c.scale_max, between(0, 20),
       "If above objective.guidance, w is drawn between the two; 0 keeps w fixed."},
      {"guidance.per_sample", &c.per_sample, "Draw w for each clip, not for each step."},
      {"guidance.embed", &c.embed, "Condition the network on w, so that sampling can choose it."},
      {"guidance.path_drop", &c.path_drop, between(0, 1),
       "Share of flow-matching clips that train the weak path; with guidance.kind = weak."},
  };
}

std::vector<Option> drop_section(DropConfig& c) {
  return {
      {"drop.tokens", named(&c.kind, soflow::kDropNames),
       "Tokens that the middle blocks skip: a share of every 2x2x2 or 1x2x2 box, or of all "
       "tokens."},
      {"drop.ratio", &c.ratio, between(0, 0.99), "Share of tokens dropped."},
      {"drop.until", &c.until, between(0, 1),
       "Share of the run after which all steps see all tokens."},
      {"drop.dense_every", &c.dense_every, between(0, 1e9), "steps",
       "Every n-th step sees all tokens; 0 for none."},
  };
}

std::vector<Option> mva_section(MvaConfig& c) {
  return {
      {"mva.share", &c.share, between(0, 1),
       "Share of clips that train mean-velocity additivity, taken from flow matching's."},
      {"mva.from", &c.from, between(0, 1), "Share of the run before additivity starts."},
      {"mva.nodes", &c.jumps.nodes, between(2, 4096),
       "Intervals of the grid that t, l and s are drawn from."},
      {"mva.shift", &c.jumps.shift, between(0.01, 100), "Shift k of that grid."},
      {"mva.to_data", &c.jumps.to_data, between(0, 1), "Share of jumps that end at s = 0."},
      {"mva.min_jump", &c.jumps.min_jump, between(1, 2048), "nodes",
       "Minimum length of each of the two short steps."},
      {"mva.weight", named(&c.weight, soflow::kMvaWeightNames),
       "Adaptively weighted loss of the mean velocity, or unweighted loss of the solution."},
  };
}

std::vector<Option> anyflow_section(AnyFlowConfig& c) {
  return {
      {"anyflow.teacher", &c.teacher,
       "Run whose velocities are distilled; stage-N is a stage of this run, 'exact' the exact "
       "flow."},
      {"anyflow.teacher_guidance", &c.teacher_guidance, between(0, 20),
       "Guidance scale w of the teacher; 1 for none."},
      {"anyflow.score_lr", &c.score_lr, between(0, 10),
       "Learning rate of the score of the student's samples; 0 uses optim.lr."},
      {"anyflow.rollouts",
       &c.rollouts,
       {},
       "steps",
       "Sampler lengths that rollouts simulate, equally often."},
      {"anyflow.cotrain", &c.cotrain, "Add forward flow-map training on the clips."},
  };
}

}  // namespace eflow::trainer
