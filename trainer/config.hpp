#pragma once
// Everything that decides a training run, as plain structs whose initializers are the defaults. The
// matching list of options (key, range, unit, help) is options_of(); nothing else names a key.
// Symbols follow arXiv 2603.27086.

#include <cstdint>
#include <string>
#include <vector>

#include "eflow/trainer/options.hpp"

namespace eflow::trainer {

/// Clips of an exactly known flow instead of a data set (soflow/exact_flow.hpp).
struct ExactConfig {
  std::string kind = "none";
  std::int64_t channels = 2, frames = 4, height = 4, width = 4;
  double decay = 1, own = 0.25, spread = 1;
  std::int64_t seed = 1;
};

struct DataConfig {
  ExactConfig exact;
  std::string dir;
  std::string eval = "split";
  double eval_share = 0.05;
  std::string clip, buckets;
};

struct ModelConfig {
  std::string preset = "custom";
  std::int64_t dim = 192, heads = 3, encoder = 1, middle = 4, decoder = 1;
  double mlp_ratio = 4;
  std::int64_t patch_t = 2, patch_h = 8, patch_w = 8;
  std::string attention = "glga";
  double window_frames = 2;
  std::string window_index = "original";
  std::int64_t softmax_every = 0;
  std::int64_t sparse_block = 64;
  double sparse_share = 0.2;
  std::string feed_forward = "plain";
  std::string gates = "token";
  bool position_table = true;
  double position_scale = 0.02;
  double time_scale = 1;
  std::string prediction = "data";
  double time_floor = 0.05;
  std::int64_t chunk_frames = 0;
};

struct TrainConfig {
  std::int64_t iterations = 2000, batch = 32, accumulation = 1, seed = 1, threads = 0;
  std::string precision = "f32";
  bool recompute = false;
  std::string init_from, freeze;
};

struct ObjectiveConfig {
  std::string kind = "eflow";
  double fm_share = 0.75, p = 1, eps = 0.01;
  std::string r_schedule = "exponential";
  double r_init = 0.1, r_end = 0.02, scm_scale = 0.5;
  double velocity_mix = 0.25, guidance = 1, label_drop = 0.1;
  bool cfg_decay = false;
  double t_mean = 0, t_std = 1, t_shift = 1, s_mean = -1, s_std = 0.8, s_shift = 1;
};

struct GuidanceConfig {
  std::string kind = "null";
  double w_max = 0;
  bool per_sample = false, embed = false;
  double path_drop = 0.2;
};

struct DropConfig {
  std::string tokens = "none";
  double ratio = 0.75, until = 1;
  std::int64_t dense_every = 0;
};

struct MvaConfig {
  double share = 0, from = 0;
  std::int64_t nodes = 64;
  double shift = 3, to_data = 0;
  std::int64_t min_jump = 1;
  std::string weight = "velocity";
};

struct AnyFlowConfig {
  std::string teacher;
  double teacher_guidance = 4, score_lr = 0;
  std::string rollouts = "2,4,8,16,50";
  bool cotrain = true;
};

struct OptimConfig {
  double lr = 3e-3, beta1 = 0.9, beta2 = 0.99, eps = 1e-8, weight_decay = 0, clip = 1;
  std::string schedule = "cosine";
  std::int64_t warmup = 150;
  double lr_end = 0.05;
};

struct EmaConfig {
  double decay = 0.999;
  bool warmup = true;
};

struct SampleConfig {
  std::int64_t every = 500, steps = 4, count = 9, seed = 1;
  std::string sampler = "renoise";
  double shift = 1, guidance = 4;
};

struct EvalConfig {
  std::int64_t every = 250, clips = 64;
};

struct LogConfig {
  std::int64_t every = 10;
};

struct CheckpointConfig {
  std::int64_t every = 500, keep = 2, keep_every = 0;
};

struct Config {
  DataConfig data;
  ModelConfig model;
  TrainConfig train;
  ObjectiveConfig objective;
  GuidanceConfig guidance;
  DropConfig drop;
  MvaConfig mva;
  AnyFlowConfig anyflow;
  OptimConfig optim;
  EmaConfig ema;
  SampleConfig sample;
  EvalConfig eval;
  LogConfig log;
  CheckpointConfig checkpoint;
};

/// The one table of options, bound to the variables of `config`, which must outlive it.
[[nodiscard]] std::vector<Option> options_of(Config& config);

/// The configuration of an INI text; `name` stands before line numbers. Throws InvalidArgument with
/// all mistakes.
[[nodiscard]] Config parse_config(const std::string& text, const std::string& name);

/// The complete configuration as INI text; parse_config() reads the same values back.
[[nodiscard]] std::string to_text(const Config& config);

/// Rules between values, one text for each broken one: heads divide dim, warmup < iterations, ...
[[nodiscard]] std::vector<std::string> problems_of(const Config& config);

}  // namespace eflow::trainer
