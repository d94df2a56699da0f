#pragma once
// Sets the variables of a list of options from configuration files and a command line. Reports all
// mistakes at once, each with its place. Boost.Program_options defines the grammar of both.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/options/options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// One "key = value" of a section [stageN], or "stageN.key=value" of a command line, unparsed.
struct StageSetting {
  std::int64_t stage = 0;  ///< N, counted from 1
  std::string key = {}, value = {};
  std::string place = {};  ///< prefix of messages about it
  bool in_file = false;    ///< not on the command line
};

class OptionParser {
 public:
  /// The variables that the options set must outlive the parser.
  explicit OptionParser(std::vector<Option> options) : options_(std::move(options)) {}

  /// Reads "[section]" and "key = value" lines; '#' starts a comment. A file may set "section.key"
  /// options only, each of them once. Throws InvalidArgument if the file does not exist and IoError
  /// if it cannot be read; collects all other mistakes.
  void parse_file(const std::filesystem::path& path);
  /// Does the same for text in memory. Messages begin with `name` and the line number.
  void parse_text(const std::string& text, const std::string& name);

  /// Reads "--key=value" and "--key value"; '_' and '-' are equivalent. A flag (a bool without a
  /// section) needs no value. Appends at most `max_positional` words without "--" to `positional`.
  void parse_arguments(const std::vector<std::string>& arguments,
                       std::vector<std::string>* positional = nullptr,
                       std::size_t max_positional = 0);

  /// Adds a mistake that the caller found, for example two values that contradict each other.
  void add_problem(std::string text) { problems_.push_back(std::move(text)); }

  /// Returns whether a file or the command line gave this key.
  [[nodiscard]] bool given(const std::string& key) const { return given_.count(key) != 0; }
  /// Returns whether the command line gave this key, or another key that sets the same variable.
  [[nodiscard]] bool on_command_line(const std::string& key) const;
  [[nodiscard]] const std::vector<Option>& options() const { return options_; }
  /// Settings of stages, not checked against the options: each stage has its own Config.
  [[nodiscard]] const std::vector<StageSetting>& stage_settings() const { return stages_; }

  /// Throws InvalidArgument listing all mistakes, one per line, if there are any.
  void finish() const;

 private:
  void set(const std::string& key, const std::string& value, const std::string& place,
           bool in_file);
  std::vector<Option> options_;
  std::vector<std::string> problems_;
  std::set<std::string> given_, on_command_line_;
  std::vector<StageSetting> stages_;
};

/// Returns the value of --`name` in the arguments, or "". For options that must be known before the
/// rest is parsed, such as the configuration file.
[[nodiscard]] std::string peek_argument(const std::vector<std::string>& arguments,
                                        const std::string& name);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
