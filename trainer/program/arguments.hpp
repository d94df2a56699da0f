#pragma once
// How a command reads its arguments: its own flags as options, --help for all of them.

#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "eflow/trainer/options.hpp"

namespace eflow::program {

struct Usage {
  std::string line;   ///< "eflow sample --run RUN --out DIR [...]"
  std::string about;  ///< what the command does, in a sentence or two
};

[[nodiscard]] bool wants_help(const Arguments& arguments);
int print_help(const Usage& usage, const std::vector<trainer::Option>& options);

/// Sets the options' variables, requires those named in `required`, fills at most max_positional
/// words. Throws InvalidArgument that lists every mistake.
void parse(const Arguments& arguments, const std::vector<trainer::Option>& options,
           const std::vector<std::string>& required, std::vector<std::string>* positional = nullptr,
           std::size_t max_positional = 0);

}  // namespace eflow::program
