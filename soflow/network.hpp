#pragma once
// Network: what soflow asks of a model, as a function. nn::VideoDiT is one (pass std::ref(model));
// so is any lambda.
//
// Time t in [0, 1], 1 = noise, 0 = data. One number a sample is kept on the host in double
// (PerSample): quotients of close times keep their digits, and the equations read as on paper.

#include <functional>
#include <vector>

#include "eflow/core/ops.hpp"
#include "eflow/nn/condition.hpp"

namespace eflow::soflow {

/// F(x, t, s | c). x [B, ...], t and s [B] -> shape of x.
using Network = std::function<Tensor(const Tensor& x, const Tensor& t, const Tensor& s,
                                     const nn::Condition& condition)>;

using PerSample = std::vector<double>;

/// [B], in the dtype and on the device of `like`: times for a network.
[[nodiscard]] Tensor as_times(const PerSample& values, const Tensor& like);
/// [B, 1, ...] of like's rank: factors that broadcast over each sample.
[[nodiscard]] Tensor as_factors(const PerSample& values, const Tensor& like);
/// F at times given on the host.
[[nodiscard]] Tensor evaluate(const Network& network, const Tensor& x, const PerSample& t,
                              const PerSample& s, const nn::Condition& condition);

}  // namespace eflow::soflow
