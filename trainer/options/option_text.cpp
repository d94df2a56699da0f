#include "eflow/trainer/options/option_text.hpp"

#include <algorithm>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

std::string section_of(const Option& option) {
  const auto dot = option.key.find('.');
  return dot == std::string::npos ? "" : option.key.substr(0, dot);
}

std::string accepted(const Option& option) {
  const bool is_text = std::holds_alternative<std::string*>(option.target);
  if (is_text && option.allowed.choices.empty()) return "text";
  return describe_expected(option);
}

/// A '|' would end the cell.
std::string escaped_cell(const std::string& text) {
  std::string cell;
  for (const char c : text) cell += c == '|' ? std::string("\\|") : std::string(1, c);
  return cell;
}

/// Returns "(an integer from 1 to 64 [steps]; default 4)".
std::string describe_default(const Option& option) {
  const std::string value = describe_value(option);
  const std::string unit = option.unit.empty() ? "" : " [" + option.unit + "]";
  return str("(", accepted(option), unit, value.empty() ? "" : "; default " + value, ")");
}

/// Shows flags with dashes, as is usual for commands, and keys as a configuration file has them.
std::string shown_key(const Option& option) {
  std::string key = option.key;
  if (section_of(option).empty()) std::replace(key.begin(), key.end(), '_', '-');
  return key;
}

}  // namespace

std::string describe_options(const std::vector<Option>& options) {
  std::string text, section;
  for (const Option& option : options) {
    if (section_of(option) != section) {
      section = section_of(option);
      text += "\n[" + section + "]\n";
    }
    text += str("  --", shown_key(option), "  ", option.help, "\n      ", describe_default(option),
                "\n");
  }
  return text;
}

std::string to_ini(const std::vector<Option>& options) {
  std::string text, section;
  for (const Option& option : options) {
    const std::string own = section_of(option);
    if (own.empty()) continue;
    if (own != section) {
      text += str(section.empty() ? "" : "\n", "[", own, "]\n");
      section = own;
    }
    text += str(option.key.substr(own.size() + 1), " = ", describe_value(option), "\n");
  }
  return text;
}

std::string markdown_table(const std::vector<Option>& options) {
  std::string text =
      "| key | accepts | unit | default | meaning |\n| --- | --- | --- | --- | --- |\n";
  for (const Option& option : options) {
    if (section_of(option).empty()) continue;
    text += str("| `", option.key, "` | ", accepted(option), " | ", option.unit, " | ",
                describe_value(option), " | ", escaped_cell(option.help), " |\n");
  }
  return text;
}

std::vector<OptionDifference> differences(const std::vector<Option>& before,
                                          const std::vector<Option>& now) {
  EFLOW_ASSERT(before.size() == now.size());
  std::vector<OptionDifference> found;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string was = describe_value(before[i]), is = describe_value(now[i]);
    if (was != is) found.push_back({before[i].key, was, is});
  }
  return found;
}

}  // namespace eflow::trainer
