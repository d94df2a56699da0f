#include "eflow/trainer/options/option_parser.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <map>
#include <sstream>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

namespace po = boost::program_options;

bool is_flag(const Option& option) {
  return std::holds_alternative<bool*>(option.target) && option.key.find('.') == std::string::npos;
}

/// Turns "--section-key=a-b" into "--section_key=a-b": the name changes, the value does not.
std::string canonical_argument(const std::string& argument) {
  if (argument.rfind("--", 0) != 0) return argument;
  const auto equals = std::min(argument.find('='), argument.size());
  return "--" + canonical_key(argument.substr(2, equals - 2)) + argument.substr(equals);
}

po::options_description description_of(const std::vector<Option>& options) {
  po::options_description description;
  for (const Option& option : options) {
    auto value = po::value<std::string>();
    if (is_flag(option)) value->implicit_value("true");
    description.add_options()(option.key.c_str(), value, option.help.c_str());
  }
  return description;
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Returns N for "stageN.section.key" and 0 for any other key.
std::int64_t stage_of(const std::string& key) {
  constexpr std::string_view kWord = "stage";
  const std::size_t dot = key.find('.');
  if (dot == std::string::npos || !key.starts_with(kWord)) return 0;
  const std::string number = key.substr(kWord.size(), dot - kWord.size());
  const bool digits = !number.empty() && number.size() < 3 &&
                      number.find_first_not_of("0123456789") == std::string::npos;
  return digits ? std::stoll(number) : 0;
}

}  // namespace

void OptionParser::set(const std::string& key, const std::string& value, const std::string& place,
                       bool in_file) {
  if (const std::int64_t stage = stage_of(key); stage > 0) {
    stages_.push_back({stage, key.substr(key.find('.') + 1), value, place, in_file});
    return;
  }
  const auto same = [&](const Option& option) { return option.key == key; };
  const auto found = std::find_if(options_.begin(), options_.end(), same);
  const bool section = key.find('.') != std::string::npos;
  if (found == options_.end() || (in_file && !section)) {
    const std::string near = nearest_key(options_, key);
    problems_.push_back(str(place, "unknown option '", key, "'",
                            near.empty() ? "" : "; did you mean '" + near + "'?"));
    return;
  }
  given_.insert(key);
  if (!in_file) on_command_line_.insert(key);
  const bool bare_flag = is_flag(*found) && value.empty();
  const std::string problem = set_option(*found, bare_flag ? "true" : value);
  if (!problem.empty()) problems_.push_back(place + problem);
}

void OptionParser::parse_file(const std::filesystem::path& path) {
  constexpr std::uint64_t kMaxBytes = 1 << 20;
  const auto refuse = [&](const auto&... why) {
    throw InvalidArgument(str("configuration file ", path.string(), ": ", why...));
  };
  std::error_code error;
  if (!std::filesystem::exists(path, error)) refuse("no such file");
  if (!std::filesystem::is_regular_file(path, error))
    refuse("expected a file, such as configs/quickstart.ini; found something else");
  if (const auto bytes = std::filesystem::file_size(path, error); !error && bytes > kMaxBytes)
    refuse("expected lines of text, at most ", kMaxBytes, " bytes; found ", bytes);
  parse_text(read_file(path, kMaxBytes), path.string());
}

// Boost parses one line at a time, prefixed with its section, so that each mistake has a line number.
void OptionParser::parse_text(const std::string& text, const std::string& name) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // some editors write it
  std::istringstream lines(
      text.substr(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0));
  std::string line, section;
  std::map<std::string, int> lines_of;
  for (int number = 1; std::getline(lines, line); ++number) {
    const std::string place = str(name, ":", number, ": ");
    const std::string content = trimmed(line.substr(0, line.find('#')));
    if (content.size() >= 2 && content.front() == '[' && content.back() == ']') {
      section = canonical_key(trimmed(content.substr(1, content.size() - 2)));
      continue;
    }
    std::istringstream one((section.empty() ? "" : "[" + section + "]\n") + content + "\n");
    try {
      const auto parsed = po::parse_config_file(one, po::options_description(), true);
      for (const auto& option : parsed.options) {
        const std::string key = canonical_key(option.string_key);
        const auto [earlier, fresh] = lines_of.emplace(key, number);
        if (!fresh) {
          problems_.push_back(str(place, "'", key, "' is already set in line ", earlier->second,
                                  "; remove one of the two"));
          continue;
        }
        set(key, option.value.empty() ? "" : option.value.front(), place, true);
      }
    } catch (const po::error&) {
      problems_.push_back(
          str(place, "expected '[section]' or 'key = value', found '", content, "'"));
    }
  }
}

void OptionParser::parse_arguments(const std::vector<std::string>& arguments,
                                   std::vector<std::string>* positional,
                                   std::size_t max_positional) {
  std::vector<std::string> words;
  for (const auto& argument : arguments) words.push_back(canonical_argument(argument));
  const auto description = description_of(options_);
  const int style = po::command_line_style::allow_long |
                    po::command_line_style::long_allow_adjacent |
                    po::command_line_style::long_allow_next;
  try {
    const auto parsed =
        po::command_line_parser(words).options(description).style(style).allow_unregistered().run();
    for (const auto& option : parsed.options) {
      if (option.position_key >= 0) {
        const std::string& word = option.original_tokens.front();
        if (positional && positional->size() < max_positional && word.rfind("-", 0) != 0) {
          positional->push_back(word);
        } else {
          problems_.push_back(str("unexpected argument '", word, "'"));
        }
        continue;
      }
      std::string key = option.string_key;
      if (option.unregistered) {
        key = option.original_tokens.front();
        key = key.substr(0, key.find('=')).substr(std::min(key.find_first_not_of('-'), key.size()));
      }
      set(key, option.value.empty() ? "" : option.value.front(), "command line: ", false);
    }
  } catch (const po::error& error) {
    problems_.push_back(error.what());
  }
}

bool OptionParser::on_command_line(const std::string& key) const {
  if (on_command_line_.contains(key)) return true;
  const auto target_of = [&](const std::string& name) -> const std::string* {
    for (const Option& option : options_) {
      const auto* text = std::get_if<std::string*>(&option.target);
      if (option.key == name && text) return *text;
    }
    return nullptr;
  };
  const std::string* target = target_of(key);
  return target &&
         std::any_of(on_command_line_.begin(), on_command_line_.end(),
                     [&](const std::string& other) { return target_of(other) == target; });
}

void OptionParser::finish() const {
  if (problems_.empty()) return;
  std::string text;
  for (const auto& problem : problems_) text += (text.empty() ? "" : "\n") + problem;
  throw InvalidArgument(text);
}

std::string peek_argument(const std::vector<std::string>& arguments, const std::string& name) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string word = canonical_argument(arguments[i]);
    if (word == "--" + name && i + 1 < arguments.size()) return arguments[i + 1];
    if (word.rfind("--" + name + "=", 0) == 0) return word.substr(name.size() + 3);
  }
  return "";
}

}  // namespace eflow::trainer
