// [sample], [eval], [log] and [checkpoint]: what a run writes.

#include "eflow/trainer/config/sections.hpp"

namespace eflow::trainer {

std::vector<Option> sample_section(SampleConfig& c) {
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

std::vector<Option> report_section(Config& c) {
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
       "it was measured (eval.every)."},
      {"checkpoint.async", &c.checkpoint.async,
       "Copy the state and write it in the background; false makes training wait for the disk."},
  };
}

}  // namespace eflow::trainer
