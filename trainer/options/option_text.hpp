#pragma once
// Text made from a list of options: terminal help, a configuration file, the table of
// docs/options.md, and differences between two configurations.

#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/trainer/options/options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// Returns the --help text: name, help, accepted values and default of each option, by section.
[[nodiscard]] std::string describe_options(const std::vector<Option>& options);

/// Returns "[section]" and "key = value" lines for all "section.key" options, in list order.
/// OptionParser::parse_text() reads the same values back.
[[nodiscard]] std::string to_ini(const std::vector<Option>& options);

/// Returns a Markdown table of all "section.key" options.
[[nodiscard]] std::string markdown_table(const std::vector<Option>& options);

struct OptionDifference {
  std::string key = {}, before = {}, now = {};
};
/// Returns the options whose values differ. Both lists must come from options_of().
[[nodiscard]] std::vector<OptionDifference> differences(const std::vector<Option>& before,
                                                        const std::vector<Option>& now);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
