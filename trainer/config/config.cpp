// The declaration of every option: key, the member it sets, range, unit and help.

#include "eflow/trainer/config/config.hpp"

#include <iterator>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/options/option_text.hpp"

namespace eflow::trainer {
namespace {

using Options = std::vector<Option>;

std::vector<std::string> preset_choices() {
  std::vector<std::string> names = nn::preset_names();
  names.insert(names.begin(), "custom");
  return names;
}

/// "none" disables the exact flow, any other name enables it with that kind.
NamedValue exact_kind(ExactConfig* c) {
  NamedValue kind = named(&c->flow.kind, soflow::kExactNames);
  kind.get = [c, name = kind.get] { return c->enabled ? name() : "none"; };
  kind.set = [c, set = kind.set](const std::string& name) {
    c->enabled = name != "none";
    set(name);
  };
  kind.names.insert(kind.names.begin(), "none");
  return kind;
}

Options data_options(DataConfig& c) {
  return {
      {"data.dir", &c.dir, "Folder of a packed data set (eflow data pack, eflow data synth)."},
      {"data.eval", &c.eval,
       "Held-out clips: 'split' withholds clips of data.dir, the same share of each class; 'last' "
       "withholds its last clips; 'none'; or another folder."},
      {"data.eval_share", &c.eval_share, between(0.001, 0.5),
       "Share of data.dir that 'split' and 'last' withhold from training."},
      {"data.buckets", &c.buckets,
       "Clips of other lengths or sizes that take a share of every batch: 'DIR[@FRAMES]:SHARE, "
       "...'; images:0.1 makes a tenth of each batch clips of the data set 'images', @first:0.1 "
       "the "
       "first frames of data.dir's clips, @1:0.1 any single frames of them."},
      {"data.on_error", &c.on_error,
       "Clips that are damaged: 'error' ends the run; 'skip:N' lets the next intact clips take the "
       "places of at most N; 'quarantine' of any number. RUN/quarantine.jsonl lists them. A file "
       "that cannot be read always ends the run."},
      {"data.context_length", &c.context_length, between(0, 65536), "tokens",
       "Length to which zero rows extend a clip's text; 0: as the data set says."},
      {"data.clip", &c.clip,
       "CxTxHxW of the clips that --dry-run and bench step assume if data.dir is empty."},
  };
}

Options exact_options(ExactConfig& c) {
  return {
      {"exact.kind", exact_kind(&c),
       "Train on clips of an exactly known flow, generated on the fly, instead of data.dir."},
      {"exact.channels", &c.flow.clip[0], between(1, 64), "Channels of an exact clip."},
      {"exact.frames", &c.flow.clip[1], between(1, 256), "Frames of an exact clip."},
      {"exact.height", &c.flow.clip[2], between(1, 256), "Height of an exact clip."},
      {"exact.width", &c.flow.clip[3], between(1, 256), "Width of an exact clip."},
      {"exact.decay", &c.flow.decay, between(0, 8),
       "Variance of a cosine coordinate k: (1 + |k|^2)^-decay, 1 on average."},
      {"exact.own", &c.flow.own, between(1e-6, 1e6),
       "guided: variance of a coordinate around its mean."},
      {"exact.spread", &c.flow.spread, between(1e-6, 1e6),
       "guided: variance of the means that the condition gives."},
      {"exact.seed", &c.flow.seed, between(0, 1e15), "Seed of the distribution and its clips."},
  };
}

Options model_options(ModelConfig& c) {
  return {
      {"model.preset", &c.preset, one_of(preset_choices()),
       "Named sizes; the keys below override the preset's values."},
      {"model.condition",
       named(&c.condition, {ModelCondition::kAuto, ModelCondition::kNone, ModelCondition::kLabel,
                            ModelCondition::kText, ModelCondition::kLabelText}),
       "What the model takes, which must be what the data have; auto: what model.preset takes, or "
       "without a preset what the data have."},
      {"model.dim", &c.dim, between(8, 16384), "Model width D."},
      {"model.heads", &c.heads, between(1, 256), "Attention heads H; must divide model.dim."},
      {"model.encoder", &c.encoder, between(0, 256), "blocks",
       "Blocks before the middle, on all tokens."},
      {"model.middle", &c.middle, between(0, 256), "blocks",
       "Blocks of the middle, which see fewer tokens with token dropping."},
      {"model.decoder", &c.decoder, between(0, 256), "blocks",
       "Blocks after the fusion, on all tokens."},
      {"model.mlp_ratio", &c.mlp_ratio, between(0.25, 16), "Feed-forward width over model.dim."},
      {"model.patch_t", &c.patch.t, between(1, 64), "frames",
       "Patch size in time; must divide the clip's frames."},
      {"model.patch_h", &c.patch.h, between(1, 256), "pixels",
       "Patch height; must divide the clip's height."},
      {"model.patch_w", &c.patch.w, between(1, 256), "pixels",
       "Patch width; must divide the clip's width."},
      {"model.attention", named(&c.attention, nn::kAttentionNames),
       "Gated local-global attention, full softmax, an ablation of GLGA, or a published "
       "alternative."},
      {"model.window_frames", &c.window_frames, between(0.01, 4096), "token frames",
       "Span m of the local window: W = m times the tokens of a frame."},
      {"model.window_index", named(&c.window_index, nn::kWindowIndexNames),
       "Whether windows count dropped tokens (original) or only kept ones (compact)."},
      {"model.softmax_every", &c.softmax_every, between(0, 256), "blocks",
       "K: one full softmax block after every K other blocks; 0 for none."},
      {"model.sparse_block", &c.sparse_block, between(1, 4096), "tokens",
       "sla, vsa: tokens per block; for vsa the tokens of a cube: 8, 27, 64, ..."},
      {"model.sparse_share", &c.sparse_share, between(0.001, 1),
       "sla, vsa: share of the blocks that a block's softmax attends to."},
      {"model.feed_forward", named(&c.feed_forward, nn::kFeedForwardNames),
       "Per token, or gated with a 3x3 convolution over the frame (Sana's Mix-FFN)."},
      {"model.gates", named(&c.gates, nn::kGateNames), "Granularity of the two branch gates."},
      {"model.position_table", &c.position_table,
       "Add a learned position table to the patches, in addition to RoPE."},
      {"model.position_scale", &c.position_scale, between(1e-4, 10),
       "Standard deviation of the position table's initial values."},
      {"model.time_scale", &c.time_scale, between(1e-3, 1e4),
       "Factor on times before the sinusoidal embedding; 1000 in Wan and AnyFlow."},
      {"model.gap", named(&c.gap, nn::kGapNames),
       "Input of the second time embedder: t - s, s (AnyFlow's released weights), or no second "
       "embedder, for flow matching alone."},
      {"model.long_residual", &c.long_residual,
       "Fuse the encoder's output with the middle's before the decoder; needed for token dropping "
       "and the weak path."},
      {"model.prediction", named(&c.prediction, nn::kPredictionNames),
       "What the head predicts; use 'data' if a patch has many values relative to model.dim."},
      {"model.time_floor", &c.time_floor, between(1e-4, 1),
       "Data prediction: F = (x - net) / max(t, floor)."},
      {"model.chunk_frames", &c.chunk_frames, between(0, 4096), "token frames",
       "AnyFlow's causal variant: frames per chunk after the first frame; 0 generates whole "
       "clips."},
  };
}

Options train_options(Config& config) {
  TrainConfig& c = config.train;
  return {
      {"train.iterations", &c.iterations, between(1, 1e9), "steps",
       "Length of the run; all schedules end here."},
      {"train.batch", &c.batch, between(1, 65536), "clips",
       "Clips per step, over all micro-batches."},
      {"train.accumulation", &c.accumulation, between(1, 65536),
       "Micro-batches per shard of a step; must divide train.batch / train.shards."},
      {"train.shards", &c.shards, between(0, 65536),
       "Parts of the batch whose gradients are computed apart and added over a fixed tree; with "
       "the "
       "same number, 1, 2, 4, ... ranks give the same bits. 0: one per rank."},
      {"train.sequence", &c.sequence, between(1, 4096), "ranks",
       "Ranks that have the same clips and divide their tokens, for clips that one device cannot "
       "hold; must divide the number of ranks and be at most the number of pairs of token frames."},
      {"train.slice", &c.slice_mib, between(0, 1e5), "MiB",
       "Size of what ranks send each other of the gradient at a time, while the backward pass "
       "computes the rest; does not change results. 0: all at once, after it."},
      {"train.compare_every", &c.compare_every, between(0, 1e9), "steps",
       "Steps after which ranks compare hashes of their weights, to find a memory that flips bits; "
       "0: never."},
      {"train.deadline", &c.deadline, between(1, 1e6), "s",
       "Longest wait of a rank for the others, after which it names who is late and ends with exit "
       "code 7."},
      {"train.seed", &c.seed, between(0, 1e15),
       "Seed of weights, sample order, times, noise and label drops."},
      {"train.threads", &c.threads, between(0, 1024), "threads",
       "Compute threads; 0 uses the machine's cores or its CPU quota."},
      {"train.precision", named(&c.precision, {DType::kF32, DType::kBF16}),
       "Data type of the blocks; with bf16, weights, optimizer, residual stream and head stay "
       "f32."},
      {"train.skip_nonfinite", &c.skip_nonfinite, between(0, 1e9), "steps",
       "Steps of the run that may be skipped because their loss or gradient norm is not finite; "
       "the "
       "next one ends the run. 'eflow replay' repeats such a step."},
      {"train.on_divergence", named(&c.on_divergence, kOnDivergenceNames),
       "What follows if the loss stays far above its mean over 128 steps, or flow matching's error "
       "exceeds that of its start: a warning, or the end of the run."},
      {"train.recompute", &config.model.recompute,
       "Recompute each block in the backward pass: less memory, a third more time."},
      {"train.init_from", &c.init_from,
       "Run or checkpoint that initialises a new run; stages set it to the previous stage."},
      {"train.init_state", named(&c.init_state, kInitStateNames),
       "What is taken from train.init_from: its averaged weights, while moments and average start "
       "anew; or all of weights, moments and average."},
      {"train.freeze", &c.freeze,
       "Names of weights that are not trained; * matches any text: 'encoder.*,patch.*'."},
  };
}

Options objective_options(Config& config) {
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

Options guidance_options(soflow::GuidanceOptions& c) {
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

Options drop_options(DropConfig& c) {
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

Options mva_options(MvaConfig& c) {
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

Options anyflow_options(AnyFlowConfig& c) {
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

Options optim_options(OptimConfig& c) {
  return {
      {"optim.lr", &c.lr.peak, between(0, 10), "Peak learning rate of AdamW."},
      {"optim.beta1", &c.adamw.beta1, between(0, 0.9999), "Decay of the first moment."},
      {"optim.beta2", &c.adamw.beta2, between(0, 0.999999), "Decay of the second moment."},
      {"optim.eps", &c.adamw.eps, between(0, 1), "Added to the root of the second moment."},
      {"optim.weight_decay", &c.adamw.weight_decay, between(0, 10), "Decoupled weight decay."},
      {"optim.clip", &c.clip, between(0, 1e9), "Largest global gradient norm; 0 for no clipping."},
      {"optim.schedule", named(&c.lr.curve, {nn::Curve::kCosine, nn::Curve::kConstant}),
       "Learning rate after the warm-up."},
      {"optim.warmup", &c.lr.warmup, between(0, 1e9), "steps",
       "Steps over which the learning rate rises from 0."},
      {"optim.lr_end", &c.lr.end_fraction, between(0, 1),
       "Where the cosine ends, as a share of optim.lr."},
  };
}

Options ema_options(nn::EmaOptions& c) {
  return {
      {"ema.decay", &c.decay, between(0, 0.999999),
       "Decay of the averaged weights, which sampling uses."},
      {"ema.warmup", &c.warmup, "Use min(decay, (1 + k) / (10 + k)) at step k."},
  };
}

Options sample_options(SampleConfig& c) {
  return {
      {"sample.every", &c.every, between(0, 1e9), "steps",
       "Write a preview every n steps and at the end; 0 for never."},
      {"sample.steps", &c.steps, between(1, 1000), "steps", "Sampling steps N of previews."},
      {"sample.count", &c.count, between(1, 1024), "clips", "Clips of a preview; labels cycle."},
      {"sample.seed", &c.seed, between(0, 1e15),
       "Seed of preview noise: the same at every preview."},
      {"sample.sampler", named(&c.sampler, soflow::kSamplerNames),
       "Re-noising, deterministic composition, Euler steps of the velocity, or half of each of "
       "the first two."},
      {"sample.shift", &c.shift, between(0.01, 100), "Shift k of the sampling times."},
      {"sample.guidance", &c.guidance, between(0, 20),
       "Guidance scale w given to a model with guidance.embed."},
  };
}

Options report_options(Config& c) {
  return {
      {"eval.every", &c.eval.every, between(0, 1e9), "steps",
       "Measure the held-out error every n steps and at the end; 0 for never."},
      {"eval.clips", &c.eval.clips, between(1, 65536), "clips",
       "Held-out clips measured each time, always the same."},
      {"log.every", &c.log.every, between(1, 1e6), "steps",
       "Print a line every n steps if the output is not a terminal."},
      {"checkpoint.every", &c.checkpoint.every, between(0, 1e9), "steps",
       "Save every n steps and at the end; 0 for only at the end."},
      {"checkpoint.keep", &c.checkpoint.keep, between(1, 1e6), "Newest checkpoints to keep."},
      {"checkpoint.keep_every", &c.checkpoint.keep_every, between(0, 1e9), "steps",
       "Keep checkpoints at multiples of this for good; 0 for none."},
      {"checkpoint.keep_best", &c.checkpoint.keep_best, between(0, 1e6),
       "Keep this many checkpoints with the lowest held-out error as well, of those at whose step "
       "it "
       "was measured (eval.every)."},
      {"checkpoint.async", &c.checkpoint.async,
       "Copy the state and write it in the background; false makes training wait for the disk."},
  };
}

/// Parses `text` into *config; returns the keys that it sets. Throws InvalidArgument.
std::set<std::string> parse_into(Config* config, const std::string& text, const std::string& name) {
  OptionParser parser(options_of(*config));
  parser.parse_text(text, name);
  parser.finish();
  std::set<std::string> given;
  for (const Option& option : parser.options()) {
    if (parser.given(option.key)) given.insert(option.key);
  }
  return given;
}

}  // namespace

std::string_view name_of(ObjectiveKind kind) {
  switch (kind) {
    case ObjectiveKind::kEFlow:
      return "eflow";
    case ObjectiveKind::kAnyFlow:
      return "anyflow";
    case ObjectiveKind::kAnyFlowOnPolicy:
      return "anyflow-on-policy";
  }
  throw InvalidArgument("[config] unknown ObjectiveKind");
}

std::string_view name_of(InitState state) {
  return enum_name(state, kInitStateNames);
}

std::string_view name_of(OnDivergence action) {
  return enum_name(action, kOnDivergenceNames);
}

std::string_view name_of(ModelCondition condition) {
  return enum_name(condition, kModelConditionNames);
}

std::vector<Option> options_of(Config& config) {
  Options all;
  for (Options part :
       {data_options(config.data), exact_options(config.data.exact), model_options(config.model),
        train_options(config), objective_options(config), guidance_options(config.guidance),
        drop_options(config.drop), mva_options(config.mva), anyflow_options(config.anyflow),
        optim_options(config.optim), ema_options(config.ema), sample_options(config.sample),
        report_options(config)}) {
    all.insert(all.end(), std::make_move_iterator(part.begin()),
               std::make_move_iterator(part.end()));
  }
  return all;
}

Config parse_config(const std::string& text, const std::string& name) {
  Config config;
  const std::set<std::string> given = parse_into(&config, text, name);
  apply_preset(&config, [&](const std::string& key) { return given.contains(key); });
  return config;
}

Config stored_config(const std::string& text, const std::string& name) {
  Config config;
  parse_into(&config, text, name);
  config.model.preset_applied = true;
  return config;
}

std::string to_ini(const Config& config) {
  Config copy = config;
  return to_ini(options_of(copy));
}

void apply_preset(Config* config, const std::function<bool(const std::string& key)>& given) {
  if (config->model.preset_applied || config->model.preset == "custom") return;
  Config named;
  static_cast<nn::DiTConfig&>(named.model) = nn::preset(config->model.preset);
  named.model.mlp_ratio =
      static_cast<double>(named.model.hidden) / static_cast<double>(named.model.dim);
  const Options from = options_of(named), to = options_of(*config);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::string& key = to[i].key;
    if (!key.starts_with("model.") || key == "model.preset" || given(key)) continue;
    const std::string problem = set_option(to[i], describe_value(from[i]));
    if (!problem.empty()) throw InvalidArgument(problem);
  }
  config->model.preset_applied = true;
}

void apply_preset(Config* config) {
  Config defaults, now = *config;
  std::set<std::string> given;
  for (const OptionDifference& d : differences(options_of(defaults), options_of(now)))
    given.insert(d.key);
  apply_preset(config, [&](const std::string& key) { return given.contains(key); });
}

Config resolved(Config config) {
  apply_preset(&config);
  std::string text;
  for (const std::string& problem : problems_of(config))
    text += (text.empty() ? "" : "\n") + problem;
  if (!text.empty()) throw InvalidArgument(text);
  return config;
}

}  // namespace eflow::trainer
