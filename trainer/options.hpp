#pragma once
// One option = one declaration: key, the variable it sets, range, unit, help. The parser of files
// and command lines, the help text, the dump of a resolved configuration and the table in the
// manual are all made from a list of these. What it is not: a place for values. Those live in plain
// structs (Config), whose initializers are the defaults.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace eflow::trainer {

/// Allowed values: an inclusive range for numbers, a list for text (empty list: any text).
struct Allowed {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};
};

struct Option {
  using Target = std::variant<bool*, std::int64_t*, double*, std::string*>;

  std::string
      key;  ///< "section.key" for what belongs into a configuration, "flag" for a command's own
  Target target;  ///< the variable that parsing writes; must outlive the option
  Allowed allowed;
  std::string unit;  ///< "clips", "steps", "seconds"; may be empty
  std::string help;  ///< one sentence
};

[[nodiscard]] Allowed between(double min, double max);
[[nodiscard]] Allowed at_least(double min);
[[nodiscard]] Allowed one_of(std::vector<std::string> choices);

/// "batch-size" and "batch_size" are one name: the second.
[[nodiscard]] std::string canonical_key(std::string_view key);

/// The variable's value as text that set_option reads back to the same bits.
[[nodiscard]] std::string value_text(const Option& option);

/// What the option accepts: "an integer from 1 to 4096", "one of glga, softmax".
[[nodiscard]] std::string expected_text(const Option& option);

/// Parses `text` into the option's variable. Returns "" or what is wrong ("expected ..., found
/// ..."), in which case the variable keeps its value.
[[nodiscard]] std::string set_option(const Option& option, const std::string& text);

/// The known key with the smallest edit distance, "" when none is near enough to be meant.
[[nodiscard]] std::string nearest_key(const std::vector<Option>& options, const std::string& key);

}  // namespace eflow::trainer
