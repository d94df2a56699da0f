#pragma once
// Declarations of options. One Option names a key, the variable it sets, its range, unit and help;
// the parser of files and command lines, the help text, the dump of a configuration and the table
// in docs/options.md are all made from a list of Options. Values live in plain structs (Config),
// whose initialisers are the defaults.

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Allowed values: an inclusive range for numbers, a list for text (an empty list allows any text).
struct Allowed {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};
};

/// A variable whose values have names, such as an enum.
struct NamedValue {
  std::vector<std::string> names;               ///< the names set() accepts
  std::function<std::string()> get;             ///< returns the name of the current value
  std::function<void(const std::string&)> set;  ///< called with one of `names`
};

/// Binds an enum variable to the names that name_of() gives its enumerators. Only `allowed` ones
/// can be set. *value must outlive the result.
template <class Enum>
[[nodiscard]] NamedValue named(Enum* value, const std::vector<Enum>& allowed) {
  NamedValue bound;
  for (const Enum each : allowed) bound.names.emplace_back(name_of(each));
  bound.get = [value] { return std::string(name_of(*value)); };
  bound.set = [value, allowed](const std::string& name) {
    for (const Enum each : allowed) {
      if (name_of(each) == name) *value = each;
    }
  };
  return bound;
}

/// The same for all enumerators, given the table of their names (core/base/named_enum.hpp).
template <class Enum, std::size_t n>
[[nodiscard]] NamedValue named(Enum* value, const std::array<std::string_view, n>& /*names*/) {
  std::vector<Enum> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back(static_cast<Enum>(i));
  return named(value, all);
}

struct Option {
  using Target =
      std::variant<bool*, std::int64_t*, std::uint64_t*, double*, std::string*, NamedValue>;

  Option(std::string name, Target variable, std::string text)
      : Option(std::move(name), std::move(variable), {}, {}, std::move(text)) {}
  Option(std::string name, Target variable, Allowed range, std::string text)
      : Option(std::move(name), std::move(variable), std::move(range), {}, std::move(text)) {}
  Option(std::string name, Target variable, Allowed range, std::string measure, std::string text)
      : key(std::move(name)),
        target(std::move(variable)),
        allowed(std::move(range)),
        unit(std::move(measure)),
        help(std::move(text)) {}

  std::string key;  ///< "section.key" in a configuration, "flag" if a command's own
  Target target;    ///< the variable that parsing writes; must outlive the option
  Allowed allowed;
  std::string unit;  ///< "clips", "steps", "seconds"; may be empty
  std::string help;  ///< one sentence
};

/// Returns the range [min, max].
[[nodiscard]] Allowed between(double min, double max);
/// Returns the range [min, infinity).
[[nodiscard]] Allowed at_least(double min);
/// Returns a list of allowed texts.
[[nodiscard]] Allowed one_of(std::vector<std::string> choices);

/// Replaces '-' by '_': "batch-size" and "batch_size" name the same option.
[[nodiscard]] std::string canonical_key(std::string_view key);

/// Formats the variable's value; set_option() reads it back to the same bits.
[[nodiscard]] std::string describe_value(const Option& option);

/// Describes the accepted values: "an integer from 1 to 4096", "one of glga, softmax".
[[nodiscard]] std::string describe_expected(const Option& option);

/// Parses `text` into the option's variable. Returns "" on success. On failure returns the message
/// "KEY: expected ..., found ..." and leaves the variable unchanged.
[[nodiscard]] std::string set_option(const Option& option, const std::string& text);

/// Returns the known key nearest to `key` by edit distance, or "" if no key is near enough.
[[nodiscard]] std::string nearest_key(const std::vector<Option>& options, const std::string& key);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
