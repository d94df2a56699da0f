#include "eflow/trainer/config/config.hpp"

#include <iterator>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/trainer/config/sections.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/options/option_text.hpp"

namespace eflow::trainer {
namespace {

/// Parses `text` into *config; returns the keys that it sets. Throws InvalidArgument.
std::set<std::string> parse_into(Config* config, const std::string& text, const std::string& name) {
  OptionParser parser(options_of(*config));
  parser.parse_text(text, name);
  parser.finish();
  std::set<std::string> given;
  for (const Option& option : parser.options()) {
    if (parser.given(option.key)) given.insert(option.key);
  }
  return given;
}

}  // namespace

std::string_view name_of(ObjectiveKind kind) {
  switch (kind) {
    case ObjectiveKind::kEFlow:
      return "eflow";
    case ObjectiveKind::kAnyFlow:
      return "anyflow";
    case ObjectiveKind::kAnyFlowOnPolicy:
      return "anyflow-on-policy";
  }
  throw InvalidArgument("[config] unknown ObjectiveKind");
}

std::string_view name_of(InitState state) {
  return enum_name(state, kInitStateNames);
}

std::string_view name_of(OnDivergence action) {
  return enum_name(action, kOnDivergenceNames);
}

std::string_view name_of(ModelCondition condition) {
  return enum_name(condition, kModelConditionNames);
}

std::vector<Option> options_of(Config& config) {
  std::vector<Option> all;
  for (std::vector<Option> part :
       {data_section(config.data), exact_section(config.data.exact), model_section(config.model),
        train_section(config), objective_section(config), guidance_section(config.guidance),
        drop_section(config.drop), mva_section(config.mva), anyflow_section(config.anyflow),
        optim_section(config.optim), ema_section(config.ema), sample_section(config.sample),
        report_section(config)}) {
    all.insert(all.end(), std::make_move_iterator(part.begin()),
               std::make_move_iterator(part.end()));
  }
  return all;
}

Config parse_config(const std::string& text, const std::string& name) {
  Config config;
  const std::set<std::string> given = parse_into(&config, text, name);
  apply_preset(&config, [&](const std::string& key) { return given.contains(key); });
  return config;
}

Config stored_config(const std::string& text, const std::string& name) {
  Config config;
  parse_into(&config, text, name);
  config.model.preset_applied = true;
  return config;
}

std::string to_ini(const Config& config) {
  Config copy = config;
  return to_ini(options_of(copy));
}

void apply_preset(Config* config, const std::function<bool(const std::string& key)>& given) {
  if (config->model.preset_applied || config->model.preset == "custom") return;
  Config named;
  static_cast<nn::DiTConfig&>(named.model) = nn::preset(config->model.preset);
  named.model.mlp_ratio =
      static_cast<double>(named.model.hidden) / static_cast<double>(named.model.dim);
  const std::vector<Option> from = options_of(named), to = options_of(*config);
  for (std::size_t i = 0; i < to.size(); ++i) {
    const std::string& key = to[i].key;
    if (!key.starts_with("model.") || key == "model.preset" || given(key)) continue;
    const std::string problem = set_option(to[i], describe_value(from[i]));
    if (!problem.empty()) throw InvalidArgument(problem);
  }
  config->model.preset_applied = true;
}

void apply_preset(Config* config) {
  Config defaults, now = *config;
  std::set<std::string> given;
  for (const OptionDifference& d : differences(options_of(defaults), options_of(now)))
    given.insert(d.key);
  apply_preset(config, [&](const std::string& key) { return given.contains(key); });
}

Config resolved(Config config) {
  apply_preset(&config);
  std::string text;
  for (const std::string& problem : problems_of(config))
    text += (text.empty() ? "" : "\n") + problem;
  if (!text.empty()) throw InvalidArgument(text);
  return config;
}

}  // namespace eflow::trainer
