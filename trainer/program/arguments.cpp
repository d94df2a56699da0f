#include "eflow/trainer/program/arguments.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/options/option_text.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::program {

bool wants_help(const Arguments& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& word) { return word == "--help" || word == "-h"; });
}

int print_help(const Usage& usage, const std::vector<trainer::Option>& options) {
  std::printf("usage: %s\n\n%s\n\n%s", usage.line.c_str(), usage.about.c_str(),
              trainer::describe_options(options).c_str());
  return 0;
}

void require_given(trainer::OptionParser* parser, const std::string& key) {
  const std::vector<trainer::Option>& options = parser->options();
  const auto option = std::find_if(options.begin(), options.end(),
                                   [&](const trainer::Option& each) { return each.key == key; });
  EFLOW_ASSERT(option != options.end());
  const auto* text = std::get_if<std::string*>(&option->target);
  if (!parser->given(key))
    parser->add_problem(str("--", key, " is missing: ", option->help));
  else if (text && (*text)->empty())
    parser->add_problem(str("--", key, ": expected a value, found ''. ", option->help));
}

std::set<std::string> parse(const Arguments& arguments, const std::vector<trainer::Option>& options,
                            const std::vector<std::string>& required,
                            std::vector<std::string>* positional, std::size_t max_positional) {
  trainer::OptionParser parser(options);
  parser.parse_arguments(arguments, positional, max_positional);
  for (const std::string& key : required) require_given(&parser, key);
  parser.finish();
  std::set<std::string> given;
  for (const trainer::Option& option : options) {
    if (parser.given(option.key)) given.insert(option.key);
  }
  return given;
}

void make_output_folder(const std::filesystem::path& folder) {
  trainer::make_directories(folder);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) throw_errno("write to", folder.string());
}

void refuse_given(const std::set<std::string>& given, const std::vector<std::string>& keys,
                  const std::string& reason) {
  std::string text;
  for (const std::string& key : keys) {
    if (given.contains(key)) text += str(text.empty() ? "" : "\n", "--", key, " ", reason);
  }
  if (!text.empty()) throw InvalidArgument(text);
}

}  // namespace eflow::program
