// [train], [optim] and [ema]: a training step and how often it is made.

#include "eflow/trainer/config/sections.hpp"

namespace eflow::trainer {

std::vector<Option> train_section(Config& config) {
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
       "the same number, 1, 2, 4, ... ranks give the same bits. 0: one per rank."},
      {"train.sequence", &c.sequence, between(1, 4096), "ranks",
       "Ranks that have the same clips and divide their tokens, for clips that one device cannot "
       "hold; must divide the number of ranks and be at most the number of pairs of token frames."},
      {"train.slice", &c.slice_mib, between(0, 1e5), "MiB",
       "How much of the gradient a rank sends to each other rank at a time, while the backward "
       "pass computes the rest; does not change results. 0: everything at once, after it."},
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
       "the next one ends the run. 'eflow replay' repeats such a step."},
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

std::vector<Option> optim_section(OptimConfig& c) {
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

std::vector<Option> ema_section(nn::EmaOptions& c) {
  return {
      {"ema.decay", &c.decay, between(0, 0.999999),
       "Decay of the averaged weights, which sampling uses."},
      {"ema.warmup", &c.warmup, "Use min(decay, (1 + k) / (10 + k)) at step k."},
  };
}

}  // namespace eflow::trainer
