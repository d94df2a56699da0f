#pragma once
// ClipFormat: shape, classes and context of the clips that a model is for.

#include <cstdint>

#include "eflow/core/base/shape.hpp"

namespace eflow::trainer {

/// The clips that a model is built for. The data set decides it, not the configuration.
struct ClipFormat {
  std::int64_t channels = 0, frames = 0, height = 0, width = 0;
  std::int64_t classes = 0;
  std::int64_t context_dim = 0;  ///< width E of the context tokens; 0: no context
  [[nodiscard]] Shape shape() const { return {channels, frames, height, width}; }
};

}  // namespace eflow::trainer
