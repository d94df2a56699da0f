#pragma once
// A model here as a transformer that diffusers loads: AnyFlow's classes for flow maps, Wan's for
// velocities.

#include <filesystem>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

struct ExportOptions {
  double guidance = 4;      ///< w to fix, for a model that takes the guidance scale
  std::int64_t label = -1;  ///< class to fix, for a model with classes; -1: the null class
  double shift = 1;         ///< of the sampler's times, written to the scheduler's description
};

/// Writes OUT/transformer (config.json, diffusion_pytorch_model.safetensors, f32) and OUT/scheduler
/// (FlowMapEulerDiscreteScheduler). Inputs that the classes do not take are fixed and folded into
/// the weights. Returns what was fixed; one sentence each. Throws InvalidArgument naming what the
/// classes cannot compute: attention other than softmax, Mix-FFN, data prediction, a position table,
/// a fusion behind blocks; IoError, NoSpaceError.
std::vector<std::string> export_weights(const nn::NamedTensors& weights, const nn::DiTConfig& model,
                                        const ExportOptions& options,
                                        const std::filesystem::path& out);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
