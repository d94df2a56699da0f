#pragma once
// The declaration of every option, section by section: key, the member that it sets, range, unit and
// help.

#include <vector>

#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/options/options.hpp"

namespace eflow::trainer {

[[nodiscard]] std::vector<Option> data_section(DataConfig& c);
[[nodiscard]] std::vector<Option> exact_section(ExactConfig& c);
[[nodiscard]] std::vector<Option> model_section(ModelConfig& c);
[[nodiscard]] std::vector<Option> train_section(Config& c);
[[nodiscard]] std::vector<Option> objective_section(Config& c);
[[nodiscard]] std::vector<Option> guidance_section(soflow::GuidanceOptions& c);
[[nodiscard]] std::vector<Option> drop_section(DropConfig& c);
[[nodiscard]] std::vector<Option> mva_section(MvaConfig& c);
[[nodiscard]] std::vector<Option> anyflow_section(AnyFlowConfig& c);
[[nodiscard]] std::vector<Option> optim_section(OptimConfig& c);
[[nodiscard]] std::vector<Option> ema_section(nn::EmaOptions& c);
[[nodiscard]] std::vector<Option> sample_section(SampleConfig& c);
/// [eval], [log] and [checkpoint].
[[nodiscard]] std::vector<Option> report_section(Config& c);

}  // namespace eflow::trainer
