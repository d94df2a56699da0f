#pragma once
// What each loss group needs besides the trained network's F at its samples' (t, s): one function per
// group, from its samples to its loss as a function of F. The groups of a step thus evaluate F
// together, once. [arXiv 2603.27086, Alg. 1; equation numbers are the paper's]
//
// F is the mean velocity, f(x, t, s) = x + (s - t) F the solution.

#include <functional>

#include "eflow/soflow/objective/losses.hpp"
#include "eflow/soflow/objective/objective_options.hpp"
#include "eflow/soflow/objective/sample_context.hpp"

namespace eflow::soflow {

/// The samples of one group in a step.
struct GroupSamples {
  SampleContext context;
  Times times = {};         ///< s = t for FM
  Tensor x_t = {}, v = {};  ///< Eq. 1
  Tensor v_uncond = {};     ///< Eq. 10; undefined if no sample of the step needs it
};

/// The losses of a group, from F(x_t, t, s) of its samples with their gradient.
using LossOf = std::function<SampleLosses(const Tensor& F)>;

/// Draws the times at which a group evaluates the network.
[[nodiscard]] Times draw_group_times(const ObjectiveOptions& options, LossGroup group,
                                     const SampleContext& context, std::int64_t step);

/// Evaluates what the target of `group` needs, without gradient: SCM uses networks.online, MVA
/// networks.average.
[[nodiscard]] LossOf loss_of(const ObjectiveOptions& options, const Networks& networks,
                             LossGroup group, const GroupSamples& samples);

}  // namespace eflow::soflow
