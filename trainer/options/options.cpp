#include "eflow/trainer/options/options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

#include "eflow/core/base/error.hpp"

namespace eflow::trainer {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string describe_number(double value) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  return {buffer, end};
}

std::string describe_list(const std::vector<std::string>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string describe_range(const char* what, const Allowed& allowed) {
  const bool low = std::isfinite(allowed.min), high = std::isfinite(allowed.max);
  if (low && high)
    return str(what, " from ", describe_number(allowed.min), " to ", describe_number(allowed.max));
  if (low) return str(what, " of at least ", describe_number(allowed.min));
  if (high) return str(what, " of at most ", describe_number(allowed.max));
  return what;
}

/// Parses the whole text as one number. Returns false if blanks or other characters are left over.
template <class Number>
bool parse_number(const std::string& text, Number* value) {
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, *value);
  return result.ec == std::errc() && result.ptr == end;
}

bool parse_bool(const std::string& text, bool* value) {
  for (const char* yes : {"true", "on", "yes", "1"}) {
    if (text == yes) return *value = true;
  }
  for (const char* no : {"false", "off", "no", "0"}) {
    if (text == no) return !(*value = false);
  }
  return false;
}

template <class Number>
bool set_number(const Option& option, const std::string& text, Number* target) {
  Number value{};
  if (!parse_number(text, &value)) return false;
  const auto real = static_cast<double>(value);
  if (!(real >= option.allowed.min && real <= option.allowed.max)) return false;
  *target = value;
  return true;
}

bool set_text(const Option& option, const std::string& text, std::string* target) {
  const auto& choices = option.allowed.choices;
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end()) {
    return false;
  }
  // A configuration file could not hold these and read them back.
  const bool blank_ends =
      !text.empty() && (std::isspace(static_cast<unsigned char>(text.front())) ||
                        std::isspace(static_cast<unsigned char>(text.back())));
  if (blank_ends || text.find_first_of("#\n\r") != std::string::npos) return false;
  *target = text;
  return true;
}

bool set_name(const NamedValue& target, const std::string& text) {
  if (std::find(target.names.begin(), target.names.end(), text) == target.names.end()) return false;
  target.set(text);
  return true;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

/// Returns "batch" for "train.batch": a correct name in the wrong section should be found too.
std::string leaf_of(const std::string& key) {
  return key.substr(key.find('.') + 1);
}

}  // namespace

Allowed between(double min, double max) {
  return {min, max, {}};
}
Allowed at_least(double min) {
  return {min, std::numeric_limits<double>::infinity(), {}};
}
Allowed one_of(std::vector<std::string> choices) {
  Allowed allowed;
  allowed.choices = std::move(choices);
  return allowed;
}

std::string canonical_key(std::string_view key) {
  std::string name(key);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string describe_value(const Option& option) {
  return std::visit(
      Overloaded{[](const bool* value) -> std::string { return *value ? "true" : "false"; },
                 [](const std::int64_t* value) { return std::to_string(*value); },
                 [](const std::uint64_t* value) { return std::to_string(*value); },
                 [](const double* value) { return describe_number(*value); },
                 [](const std::string* value) { return *value; },
                 [](const NamedValue& value) { return value.get(); }},
      option.target);
}

std::string describe_expected(const Option& option) {
  return std::visit(
      Overloaded{[](const bool*) -> std::string { return "true or false"; },
                 [&](const std::int64_t*) { return describe_range("an integer", option.allowed); },
                 [&](const std::uint64_t*) { return describe_range("an integer", option.allowed); },
                 [&](const double*) { return describe_range("a number", option.allowed); },
                 [&](const std::string*) -> std::string {
                   const auto& choices = option.allowed.choices;
                   if (choices.empty()) return "text without '#', line breaks or outer blanks";
                   return "one of " + describe_list(choices);
                 },
                 [](const NamedValue& value) { return "one of " + describe_list(value.names); }},
      option.target);
}

std::string set_option(const Option& option, const std::string& text) {
  const bool ok =
      std::visit(Overloaded{[&](bool* target) {
                              bool value = false;
                              if (!parse_bool(text, &value)) return false;
                              *target = value;
                              return true;
                            },
                            [&](std::int64_t* target) { return set_number(option, text, target); },
                            [&](std::uint64_t* target) { return set_number(option, text, target); },
                            [&](double* target) { return set_number(option, text, target); },
                            [&](std::string* target) { return set_text(option, text, target); },
                            [&](const NamedValue& target) { return set_name(target, text); }},
                 option.target);
  if (ok) return "";
  return str(option.key, ": expected ", describe_expected(option), ", found '", text, "'");
}

std::string nearest_key(const std::vector<Option>& options, const std::string& key) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, key.size() / 3) + 1;
  for (const Option& option : options) {
    std::size_t distance = edit_distance(option.key, key);
    if (leaf_of(option.key) == leaf_of(key)) distance = std::min<std::size_t>(distance, 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = option.key;
    }
  }
  return best;
}

}  // namespace eflow::trainer
