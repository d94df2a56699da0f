#pragma once
// Argument parsing shared by the commands: a command's flags are options, and --help prints them.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/options/options.hpp"
#include "eflow/trainer/program/commands.hpp"

namespace eflow::program {

struct Usage {
  std::string line = {};   ///< "eflow sample --run RUN --out DIR [...]"
  std::string about = {};  ///< a description of one or two sentences
};

/// Whether --help or -h is among the arguments.
[[nodiscard]] bool wants_help(const Arguments& arguments);
/// Prints the usage and the options' help to stdout; returns exit code 0.
int print_help(const Usage& usage, const std::vector<trainer::Option>& options);

/// Parses the arguments into the options' variables and at most `max_positional` other words into
/// `positional`. Returns the keys given. Throws InvalidArgument listing every mistake, including
/// missing options of `required`.
std::set<std::string> parse(const Arguments& arguments, const std::vector<trainer::Option>& options,
                            const std::vector<std::string>& required,
                            std::vector<std::string>* positional = nullptr,
                            std::size_t max_positional = 0);

/// Adds a problem, with the option's help, if `key` was not given or given without a value.
void require_given(trainer::OptionParser* parser, const std::string& key);

/// Makes the folder of a command's results before the work that they take. Throws IoError if that
/// fails or nothing can be written there.
void make_output_folder(const std::filesystem::path& folder);

/// Throws InvalidArgument if one of `keys` was given, since it would have no effect: "--KEY has no
/// effect REASON".
void refuse_given(const std::set<std::string>& given, const std::vector<std::string>& keys,
                  const std::string& reason);

}  // namespace eflow::program
