#pragma once
// Network: a model as soflow sees it, a function. nn::VideoDiT is one (pass std::ref(model)), and
// so is any lambda with this signature.
//
// Time t is in [0, 1]; 1 is noise, 0 is data. Per-sample scalars stay on the host in double
// (PerSample), so that quotients of close times keep their digits.

#include <functional>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/tensor.hpp"
#include "eflow/nn/dit/condition.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::soflow {

/// The mean velocity F(x, t, s | c). x [B, ...]; t, s [B] -> [B, ...], the shape of x.
using Network = std::function<Tensor(const Tensor& x, const Tensor& t, const Tensor& s,
                                     const nn::Condition& condition)>;

/// The trained network (theta) and its moving average (theta-), the target of MVA. `average` may be
/// empty if no sample trains MVA.
struct Networks {
  Network online = {}, average = {};
};

/// One value per sample, on the host.
using PerSample = std::vector<double>;

/// Returns [B] in the dtype and on the device of `like`: times as a network takes them.
[[nodiscard]] Tensor as_times(const PerSample& values, const Tensor& like);
/// Returns [B, 1, ...] with the rank of `like`: factors that broadcast over each sample.
[[nodiscard]] Tensor as_factors(const PerSample& values, const Tensor& like);
/// Evaluates F(x, t, s | c) at host times.
[[nodiscard]] Tensor evaluate(const Network& network, const Tensor& x, const PerSample& t,
                              const PerSample& s, const nn::Condition& condition);

}  // namespace eflow::soflow

EFLOW_EXPORT_END
