#include "eflow/trainer/config.hpp"

#include <iterator>

#include "eflow/base/error.hpp"
#include "eflow/nn/dit_config.hpp"
#include "eflow/trainer/option_parser.hpp"
#include "eflow/trainer/option_text.hpp"

namespace eflow::trainer {
namespace {

using Options = std::vector<Option>;

std::vector<std::string> preset_choices() {
  std::vector<std::string> names = nn::preset_names();
  names.insert(names.begin(), "custom");
  return names;
}

Options data_options(DataConfig& c) {
  return {
      {"data.dir",
       &c.dir,
       {},
       "",
       "Folder of a packed data set (eflow data pack, eflow data synth)."},
      {"data.eval",
       &c.eval,
       {},
       "",
       "Held-out clips: 'split' withholds the last clips of data.dir, 'none', or another folder."},
      {"data.eval_share", &c.eval_share, between(0.001, 0.5), "",
       "Share of data.dir that 'split' withholds from training."},
      {"data.buckets",
       &c.buckets,
       {},
       "",
       "Clips of other lengths or sizes for a share of the steps: 'DIR[@FRAMES]:SHARE, ...'; "
       "@1:0.1 "
       "is single frames of data.dir for a tenth."},
      {"data.clip",
       &c.clip,
       {},
       "",
       "CxTxHxW of the clips that --dry-run is to reckon with where data.dir is empty."},
  };
}

Options exact_options(ExactConfig& c) {
  return {
      {"exact.kind", &c.kind, one_of({"none", "gaussian", "mixture", "guided"}), "",
       "Train on clips of an exactly known flow, made on the fly, instead of data.dir."},
      {"exact.channels", &c.channels, between(1, 64), "", "Channels of an exact clip."},
      {"exact.frames", &c.frames, between(1, 256), "", "Frames of an exact clip."},
      {"exact.height", &c.height, between(1, 256), "", "Height of an exact clip."},
      {"exact.width", &c.width, between(1, 256), "", "Width of an exact clip."},
      {"exact.decay", &c.decay, between(0, 8), "",
       "Variance of a cosine coordinate k: (1 + |k|^2)^-decay, 1 on average."},
      {"exact.own", &c.own, between(1e-6, 1e6), "",
       "guided: variance of a coordinate around its mean."},
      {"exact.spread", &c.spread, between(1e-6, 1e6), "", "guided: variance of the told means."},
      {"exact.seed", &c.seed, between(0, 1e15), "", "Seed of the distribution and its clips."},
  };
}

Options model_options(ModelConfig& c) {
  return {
      {"model.preset", &c.preset, one_of(preset_choices()), "",
       "Named sizes; keys below that are given override the preset's."},
      {"model.dim", &c.dim, between(8, 16384), "", "Model width D."},
      {"model.heads", &c.heads, between(1, 256), "", "Attention heads H; must divide model.dim."},
      {"model.encoder", &c.encoder, between(0, 256), "blocks",
       "Blocks before the middle, on all tokens."},
      {"model.middle", &c.middle, between(0, 256), "blocks",
       "Blocks between, which token dropping thins out."},
      {"model.decoder", &c.decoder, between(0, 256), "blocks",
       "Blocks after the fusion, on all tokens."},
      {"model.mlp_ratio", &c.mlp_ratio, between(0.25, 16), "",
       "Feed-forward width over model.dim."},
      {"model.patch_t", &c.patch_t, between(1, 64), "frames",
       "Patch size in time; must divide the clip's frames."},
      {"model.patch_h", &c.patch_h, between(1, 256), "pixels",
       "Patch height; must divide the clip's height."},
      {"model.patch_w", &c.patch_w, between(1, 256), "pixels",
       "Patch width; must divide the clip's width."},
      {"model.attention", &c.attention,
       one_of({"glga", "softmax", "window", "linear", "sum", "sana", "sla", "vsa"}), "",
       "Gated local-global attention, full softmax, an ablation of it, or one it is compared "
       "with."},
      {"model.window_frames", &c.window_frames, between(0.01, 4096), "token frames",
       "Span m of the local window: W = m times the tokens of a frame."},
      {"model.window_index", &c.window_index, one_of({"original", "compact"}), "",
       "Whether windows count dropped tokens, as the raster does, or kept ones only."},
      {"model.softmax_every", &c.softmax_every, between(0, 256), "blocks",
       "K: one full softmax block after every K others; 0 for none."},
      {"model.sparse_block", &c.sparse_block, between(1, 4096), "tokens",
       "sla, vsa: tokens of a block; of vsa a cube of them: 8, 27, 64, ..."},
      {"model.sparse_share", &c.sparse_share, between(0.001, 1), "",
       "sla, vsa: share of the blocks that a block's softmax sees."},
      {"model.feed_forward", &c.feed_forward, one_of({"plain", "mix"}), "",
       "Tokens alone, or gated with a 3x3 convolution of the frame between (Sana's Mix-FFN)."},
      {"model.gates", &c.gates, one_of({"token", "head", "channel"}), "",
       "Granularity of the two branch gates."},
      {"model.position_table",
       &c.position_table,
       {},
       "",
       "Add a learned position table to the patches, beside RoPE."},
      {"model.position_scale", &c.position_scale, between(1e-4, 10), "",
       "Standard deviation of the position table's first values."},
      {"model.time_scale", &c.time_scale, between(1e-3, 1e4), "",
       "Factor on t and t-s before the sinusoids."},
      {"model.prediction", &c.prediction, one_of({"velocity", "data"}), "",
       "What the head predicts; 'data' where a patch has many values for model.dim."},
      {"model.time_floor", &c.time_floor, between(1e-4, 1), "",
       "Data prediction: F = (x - net) / max(t, floor)."},
      {"model.chunk_frames", &c.chunk_frames, between(0, 4096), "token frames",
       "AnyFlow's causal variant: clips are made in chunks of so many frames after the first; 0: "
       "whole."},
  };
}

Options train_options(TrainConfig& c) {
  return {
      {"train.iterations", &c.iterations, between(1, 1e9), "steps",
       "Length of the run; all schedules end here."},
      {"train.batch", &c.batch, between(1, 65536), "clips",
       "Clips a step, over all accumulation parts."},
      {"train.accumulation", &c.accumulation, between(1, 65536), "",
       "Parts a step's batch is computed in; must divide train.batch."},
      {"train.seed", &c.seed, between(0, 1e15), "",
       "Seed of weights, sample order, times, noise and label drops."},
      {"train.threads", &c.threads, between(0, 1024), "threads",
       "Threads for computing; 0 takes what the machine or its CPU quota gives."},
      {"train.precision", &c.precision, one_of({"f32", "bf16"}), "",
       "What blocks compute in; with bf16, weights, optimizer, residual stream and head stay f32."},
      {"train.recompute",
       &c.recompute,
       {},
       "",
       "Recompute each block in the backward pass: less memory, a third more time."},
      {"train.init_from",
       &c.init_from,
       {},
       "",
       "Run or checkpoint whose averaged weights a fresh run starts with."},
      {"train.freeze",
       &c.freeze,
       {},
       "",
       "Names of weights that are not trained, with * for any text: 'encoder.*,patch.*'."},
  };
}

Options objective_options(ObjectiveConfig& c) {
  return {
      {"objective.kind", &c.kind, one_of({"eflow", "anyflow", "anyflow-on-policy"}), "",
       "EFlow's losses, AnyFlow's forward flow-map training (guidance, label_drop, t_shift), or "
       "its "
       "on-policy distillation ([anyflow])."},
      {"objective.fm_share", &c.fm_share, between(0, 1), "",
       "Share of clips that train flow matching; the rest trains solution consistency."},
      {"objective.p", &c.p, between(0, 4), "", "Power of the adaptive weight (mse + eps)^-p."},
      {"objective.eps", &c.eps, between(1e-12, 10), "", "eps of the adaptive weight."},
      {"objective.r_schedule", &c.r_schedule,
       one_of({"exponential", "linear", "cosine", "constant"}), "",
       "How r goes from r_init to r_end over the run."},
      {"objective.r_init", &c.r_init, between(1e-5, 1), "",
       "r at the first step: l = t + (s - t) r."},
      {"objective.r_end", &c.r_end, between(1e-5, 1), "", "r at the last step."},
      {"objective.scm_scale", &c.scm_scale, between(0, 10), "",
       "Factor on the consistency gradient: 0.5 as SoFlow's code, 1 as its equation."},
      {"objective.velocity_mix", &c.velocity_mix, between(0.01, 1), "",
       "m: weight of the guided data velocity in the target, the rest is the model's own; used "
       "with guidance."},
      {"objective.guidance", &c.guidance, between(1, 20), "",
       "w of the guided target w v + (1 - w) v_uncond; 1 trains without guidance."},
      {"objective.label_drop", &c.label_drop, between(0, 1), "",
       "Share of clips that train without their label or context; with guidance.kind = null."},
      {"objective.cfg_decay", &c.cfg_decay, {}, "", "Let the guidance fade out for t > 0.8."},
      {"objective.t_mean", &c.t_mean, between(-10, 10), "", "Mean of logit t."},
      {"objective.t_std", &c.t_std, between(0.01, 10), "", "Standard deviation of logit t."},
      {"objective.t_shift", &c.t_shift, between(0.01, 100), "",
       "Shift k of t: k t / (1 + (k - 1) t)."},
      {"objective.s_mean", &c.s_mean, between(-10, 10), "", "Mean of logit s."},
      {"objective.s_std", &c.s_std, between(0.01, 10), "", "Standard deviation of logit s."},
      {"objective.s_shift", &c.s_shift, between(0.01, 100), "", "Shift k of s."},
  };
}

Options guidance_options(GuidanceConfig& c) {
  return {
      {"guidance.kind", &c.kind, one_of({"null", "weak"}), "",
       "v_uncond: the whole network without a condition, or its weak path (path-drop guidance)."},
      {"guidance.w_max", &c.w_max, between(0, 20), "",
       "Above objective.guidance: w is drawn from that to this; 0 keeps it fixed."},
      {"guidance.per_sample", &c.per_sample, {}, "", "Draw w for each clip, not for each step."},
      {"guidance.embed", &c.embed, {}, "", "Tell the network w, so that sampling can choose it."},
      {"guidance.path_drop", &c.path_drop, between(0, 1), "",
       "Share of flow-matching clips that train the weak path; with guidance.kind = weak."},
  };
}

Options drop_options(DropConfig& c) {
  return {
      {"drop.tokens", &c.tokens, one_of({"none", "groups-3d", "groups-2d", "iid"}), "",
       "Tokens that the middle blocks do not see: of every 2x2x2 or 1x2x2 box, or of all alike."},
      {"drop.ratio", &c.ratio, between(0, 0.99), "", "Share of tokens dropped."},
      {"drop.until", &c.until, between(0, 1), "",
       "Share of the run after which all steps see all tokens."},
      {"drop.dense_every", &c.dense_every, between(0, 1e9), "steps",
       "Every such step sees all tokens; 0 for none."},
  };
}

Options mva_options(MvaConfig& c) {
  return {
      {"mva.share", &c.share, between(0, 1), "",
       "Share of clips that train mean-velocity additivity, taken from flow matching's."},
      {"mva.from", &c.from, between(0, 1), "", "Share of the run before which there is none."},
      {"mva.nodes", &c.nodes, between(2, 4096), "", "Nodes of the grid of t, l and s, less one."},
      {"mva.shift", &c.shift, between(0.01, 100), "", "Shift k of that grid."},
      {"mva.to_data", &c.to_data, between(0, 1), "", "Share of jumps that end at s = 0."},
      {"mva.min_jump", &c.min_jump, between(1, 2048), "nodes", "Shortest of the two short steps."},
      {"mva.weight", &c.weight, one_of({"velocity", "solution"}), "",
       "Adaptive loss of the mean velocity, or the unweighted one of the solution."},
  };
}

Options anyflow_options(AnyFlowConfig& c) {
  return {
      {"anyflow.teacher",
       &c.teacher,
       {},
       "",
       "Run whose velocities are distilled; stage-N is that of this run, 'exact' the exact "
       "flow's."},
      {"anyflow.teacher_guidance", &c.teacher_guidance, between(0, 20), "",
       "Guidance scale w of the teacher; 1 for none."},
      {"anyflow.score_lr", &c.score_lr, between(0, 10), "",
       "Learning rate of the score of the student's samples; 0 takes optim.lr."},
      {"anyflow.rollouts",
       &c.rollouts,
       {},
       "steps",
       "Sampler lengths that rollouts stand for, equally often."},
      {"anyflow.cotrain", &c.cotrain, {}, "", "Add forward flow-map training on the clips."},
  };
}

Options optim_options(OptimConfig& c) {
  return {
      {"optim.lr", &c.lr, between(0, 10), "", "Peak learning rate of AdamW."},
      {"optim.beta1", &c.beta1, between(0, 0.9999), "", "Decay of the first moment."},
      {"optim.beta2", &c.beta2, between(0, 0.999999), "", "Decay of the second moment."},
      {"optim.eps", &c.eps, between(0, 1), "", "Added to the root of the second moment."},
      {"optim.weight_decay", &c.weight_decay, between(0, 10), "", "Decoupled weight decay."},
      {"optim.clip", &c.clip, between(0, 1e9), "",
       "Largest global gradient norm; 0 for no clipping."},
      {"optim.schedule", &c.schedule, one_of({"cosine", "constant"}), "",
       "Learning rate after the warm-up."},
      {"optim.warmup", &c.warmup, between(0, 1e9), "steps",
       "Steps in which the learning rate rises from 0."},
      {"optim.lr_end", &c.lr_end, between(0, 1), "",
       "Where the cosine ends, as a share of optim.lr."},
  };
}

Options report_options(Config& c) {
  return {
      {"ema.decay", &c.ema.decay, between(0, 0.999999), "",
       "Decay of the averaged weights that samples are made with."},
      {"ema.warmup", &c.ema.warmup, {}, "", "Use min(decay, (1 + k) / (10 + k)) at step k."},
      {"sample.every", &c.sample.every, between(0, 1e9), "steps",
       "Write a preview every so many steps and at the end; 0 for never."},
      {"sample.steps", &c.sample.steps, between(1, 1000), "steps", "Sampling steps N of previews."},
      {"sample.count", &c.sample.count, between(1, 1024), "clips",
       "Clips of a preview; labels take turns."},
      {"sample.seed", &c.sample.seed, between(0, 1e15), "",
       "Seed of preview noise: the same at every preview."},
      {"sample.sampler", &c.sample.sampler, one_of({"renoise", "compose", "euler", "bridge"}), "",
       "Re-noising, deterministic composition, Euler steps of the velocity, or half of each of the "
       "first two."},
      {"sample.shift", &c.sample.shift, between(0.01, 100), "", "Shift k of the sampling times."},
      {"sample.guidance", &c.sample.guidance, between(0, 20), "",
       "Guidance scale w that a model with guidance.embed is told."},
      {"eval.every", &c.eval.every, between(0, 1e9), "steps",
       "Measure the held-out error every so many steps and at the end; 0 for never."},
      {"eval.clips", &c.eval.clips, between(1, 65536), "clips",
       "Held-out clips measured each time, always the same."},
      {"log.every", &c.log.every, between(1, 1e6), "steps",
       "A line of text every so many steps where there is no terminal."},
      {"checkpoint.every", &c.checkpoint.every, between(0, 1e9), "steps",
       "Save every so many steps and at the end; 0 for only at the end."},
      {"checkpoint.keep", &c.checkpoint.keep, between(1, 1e6), "", "Newest checkpoints that stay."},
      {"checkpoint.keep_every", &c.checkpoint.keep_every, between(0, 1e9), "steps",
       "Checkpoints at multiples of this stay for good; 0 for none."},
  };
}

}  // namespace

std::vector<Option> options_of(Config& config) {
  Options all;
  for (Options part :
       {data_options(config.data), exact_options(config.data.exact), model_options(config.model),
        train_options(config.train), objective_options(config.objective),
        guidance_options(config.guidance), drop_options(config.drop), mva_options(config.mva),
        anyflow_options(config.anyflow), optim_options(config.optim), report_options(config)}) {
    all.insert(all.end(), std::make_move_iterator(part.begin()),
               std::make_move_iterator(part.end()));
  }
  return all;
}

Config parse_config(const std::string& text, const std::string& name) {
  Config config;
  OptionParser parser(options_of(config));
  parser.parse_text(text, name);
  parser.finish();
  return config;
}

std::string to_text(const Config& config) {
  Config copy = config;
  return config_text(options_of(copy));
}

}  // namespace eflow::trainer
