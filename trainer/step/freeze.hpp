#pragma once
// Excludes parameters from training, selected by name (train.freeze).

#include <string>

#include "eflow/nn/layers/module.hpp"

namespace eflow::trainer {

/// Turns gradients off for every parameter whose name matches one of the comma-separated patterns;
/// these then keep their values. In a pattern, * matches any text, including none. Throws
/// InvalidArgument if a pattern matches no parameter or if nothing remains to be trained.
void freeze(const std::string& patterns, nn::Module* model);

}  // namespace eflow::trainer
