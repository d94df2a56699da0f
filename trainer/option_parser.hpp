#pragma once
// Fills the variables of a list of options from configuration files and a command line, and reports
// every mistake at once with its place. The grammar of both is Boost.Program_options'.

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "eflow/trainer/options.hpp"

namespace eflow::trainer {

/// "key = value" of a section [stageN], or "stageN.key=value" of a command line, as it stands.
struct StageSetting {
  std::int64_t stage = 0;  ///< N, from 1
  std::string key, value;
  std::string place;  ///< begins a message about it
};

class OptionParser {
 public:
  explicit OptionParser(std::vector<Option> options) : options_(std::move(options)) {}

  /// Reads "[section]" / "key = value" lines; '#' starts a comment. Only "section.key" options may
  /// stand in a file. Throws IoError when the file cannot be read; anything else is collected.
  void parse_file(const std::filesystem::path& path);
  /// The same for a text that did not come from a file; `name` stands in messages before the line
  /// number.
  void parse_text(const std::string& text, const std::string& name);

  /// Reads "--key=value" and "--key value"; '_' and '-' are equal. A flag (a bool without a
  /// section) needs no value. Words without "--" go to `positional`; at most `max_positional` of
  /// them.
  void parse_arguments(const std::vector<std::string>& arguments,
                       std::vector<std::string>* positional = nullptr,
                       std::size_t max_positional = 0);

  /// Adds a mistake that a caller found (a value that does not fit another).
  void add_problem(std::string text) { problems_.push_back(std::move(text)); }

  /// Was this key given, in a file or on the command line?
  [[nodiscard]] bool given(const std::string& key) const { return given_.count(key) != 0; }
  [[nodiscard]] const std::vector<Option>& options() const { return options_; }
  /// Not checked against the options: a stage has variables of its own.
  [[nodiscard]] const std::vector<StageSetting>& stage_settings() const { return stages_; }

  /// Throws InvalidArgument that lists all mistakes, one a line, if there were any.
  void finish() const;

 private:
  void set(const std::string& key, const std::string& value, const std::string& place,
           bool in_file);
  std::vector<Option> options_;
  std::vector<std::string> problems_;
  std::set<std::string> given_;
  std::vector<StageSetting> stages_;
};

/// The value of --`name` among the arguments, "" if absent: what must be known before all others
/// (the file's name).
[[nodiscard]] std::string peek_argument(const std::vector<std::string>& arguments,
                                        const std::string& name);

}  // namespace eflow::trainer
