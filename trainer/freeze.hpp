#pragma once
// Which weights of a model are not trained, by name.

#include <string>
#include <string_view>

#include "eflow/nn/module.hpp"

namespace eflow::trainer {

/// Does the whole name fit the pattern, in which * stands for any text, also none?
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

/// Turns gradients off for parameters whose name fits one of the patterns, which commas part; they
/// then keep their values. Throws InvalidArgument for a pattern that fits nothing, and where nothing
/// is left to train.
void freeze(const std::string& patterns, nn::Module* model);

}  // namespace eflow::trainer
