#pragma once
// Say: where a run's messages go.

#include <functional>
#include <string>

namespace eflow::trainer {

/// Receives lines of text for the user.
using Say = std::function<void(const std::string& line)>;

}  // namespace eflow::trainer
