#pragma once
// A training run of a second, on an exact flow, which needs no data set.

#include "eflow/trainer/config/config.hpp"

namespace eflow::test {

/// Six steps of four clips. Saves at the end only; measures no held-out error and samples nothing.
inline trainer::Config tiny_run() {
  trainer::Config c;
  c.data.exact.enabled = true;
  c.data.exact.flow.clip = {2, 4, 4, 4};
  c.model.dim = 32;
  c.model.heads = 2;
  c.model.encoder = c.model.middle = c.model.decoder = 1;
  c.model.patch = {1, 2, 2};
  c.train.batch = 4;
  c.train.iterations = 6;
  c.optim.lr.warmup = 1;
  c.eval.every = c.sample.every = c.checkpoint.every = 0;
  return c;
}

}  // namespace eflow::test
