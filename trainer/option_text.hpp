#pragma once
// Texts made from a list of options: help for a terminal, a configuration file, a table for the
// manual, differences.

#include <string>
#include <vector>

#include "eflow/trainer/options.hpp"

namespace eflow::trainer {

/// One or two lines an option: name, what it accepts, default, help; grouped by section, flags
/// first.
[[nodiscard]] std::string help_text(const std::vector<Option>& options);

/// "[section]" / "key = value" lines of all "section.key" options, in the order of the list; parses
/// back to the same.
[[nodiscard]] std::string config_text(const std::vector<Option>& options);

/// A Markdown table of all "section.key" options.
[[nodiscard]] std::string markdown_table(const std::vector<Option>& options);

struct OptionDifference {
  std::string key, before, now;
};
/// Keys whose values differ; both lists must come from the same declaration.
[[nodiscard]] std::vector<OptionDifference> differences(const std::vector<Option>& before,
                                                        const std::vector<Option>& now);

}  // namespace eflow::trainer
