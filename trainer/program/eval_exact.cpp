#include "eflow/trainer/program/eval_exact.hpp"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/soflow/exact/exact_errors.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/data/exact_source.hpp"
#include "eflow/trainer/run/generator.hpp"

namespace eflow::program {
namespace {

using soflow::ExactErrors;

nlohmann::ordered_json rows_of(const std::vector<ExactErrors::At>& all) {
  auto rows = nlohmann::ordered_json::array();
  for (const auto& at : all)
    rows.push_back({{"t", at.t}, {"s", at.s}, {"error", at.error}, {"relative", at.relative}});
  return rows;
}

nlohmann::ordered_json rows_of(const std::vector<ExactErrors::Samples>& all) {
  auto rows = nlohmann::ordered_json::array();
  for (const auto& s : all) {
    rows.push_back({{"sampler", soflow::name_of(s.sampler)},
                    {"steps", s.steps},
                    {"error", s.error},
                    {"relative", s.relative},
                    {"covariance", s.covariance},
                    {"w2", s.wasserstein}});
  }
  return rows;
}

nlohmann::ordered_json to_json(const ExactErrors& e, double w) {
  return {{"w", w},
          {"velocity", rows_of(e.velocity)},
          {"weak_velocity", rows_of(e.weak_velocity)},
          {"map", rows_of(e.map)},
          {"defect",
           {{"grid", e.grid_defect}, {"endpoint", e.endpoint_defect}, {"random", e.random_defect}}},
          {"gap", {{"learned", e.gap.learned}, {"needed", e.gap.needed}, {"error", e.gap.error}}},
          {"samples", rows_of(e.samples)},
          {"exact_euler", rows_of(e.exact_euler)},
          {"floor", {{"covariance", e.floor.covariance}, {"w2", e.floor.wasserstein}}}};
}

void print_rows(const char* title, const std::vector<ExactErrors::At>& all, bool jumps) {
  if (all.empty()) return;
  std::printf("%s\n", title);
  for (const auto& at : all) {
    if (jumps) std::printf("  t %-5.3g s %-5.3g", at.t, at.s);
    if (!jumps) std::printf("  t %-5.3g        ", at.t);
    std::printf(" %11.4e   relative %11.4e\n", at.error, at.relative);
  }
}

void print_samples(const char* name, const ExactErrors::Samples& s) {
  std::printf("  %-11s N %-3d error %11.4e  relative %11.4e  covariance %9.3e  W2^2 %9.3e\n", name,
              s.steps, s.error, s.relative, s.covariance, s.wasserstein);
}

void print(const ExactErrors& e, double w, bool guided) {
  if (guided) std::printf("guidance w = %g\n", w);
  print_rows("E_vel(t) = |F - v|^2, relative to |v|^2", e.velocity, false);
  print_rows("E_vel(t) of the weak path, compared with the unconditioned velocity", e.weak_velocity,
             false);
  print_rows("E_map(t, s) = |f_theta - f|^2, relative to |x_t - f|^2", e.map, true);
  std::printf("semigroup defect |f(f(x_t, t, l), l, s) - f(x_t, t, s)|^2\n");
  std::printf("  8-step grid %.4e   1 -> l -> 0 %.4e   random %.4e\n", e.grid_defect,
              e.endpoint_defect, e.random_defect);
  std::printf("F(x, 1, 0) - F(x, 1, 1): rms %.4f, exact %.4f, relative error %.4f\n", e.gap.learned,
              e.gap.needed, e.gap.error);
  std::printf("samples, compared with those of the exact network from the same noise\n");
  for (const auto& s : e.samples) print_samples(std::string(soflow::name_of(s.sampler)).c_str(), s);
  for (const auto& s : e.exact_euler) print_samples("exact euler", s);
  std::printf("  the same number of exact samples:                  covariance %9.3e  W2^2 %9.3e\n",
              e.floor.covariance, e.floor.wasserstein);
}

}  // namespace

int eval_exact(const std::string& run, const ExactRequest& request) {
  const auto generator = trainer::Generator::load(run);
  const trainer::Config& config = generator.info().config;
  if (!config.data.exact.enabled) {
    throw InvalidArgument(
        str("[eval] ", run, " was not trained on an exactly known flow (exact.kind = none)"));
  }
  if (trainer::is_causal(config)) {
    throw InvalidArgument(
        str("[eval] ", run, " generates clips chunk by chunk; --exact supports whole clips only"));
  }
  const soflow::ExactFlow flow(config.data.exact.flow);
  const bool guided = flow.context_size() > 0 && config.guidance.embed;
  std::vector<double> scales = {1};
  if (guided) scales = {2.5, 3, 3.5, 4, 4.5};
  if (flow.context_size() > 0 && !guided) scales = {config.guidance.scale};
  if (request.guidance > 0 && !guided) {
    throw InvalidArgument(
        str("--guidance needs a model that takes the guidance scale, and a guided flow; ", run,
            " was trained with exact.kind = ", name_of(config.data.exact.flow.kind),
            ", guidance.embed = ", config.guidance.embed ? "true" : "false"));
  }
  if (request.guidance > 0) scales = {request.guidance};
  for (const double w : scales) {
    const soflow::ExactErrorOptions options{.clips = request.clips,
                                            .seed = request.seed,
                                            .w = w,
                                            .tell_w = guided,
                                            .shift = request.shift};
    const auto errors = soflow::exact_errors(std::cref(generator.model()), flow, options);
    if (request.json) {
      std::printf("%s\n", to_json(errors, w).dump().c_str());
    } else {
      print(errors, w, flow.context_size() > 0);
    }
  }
  return 0;
}

}  // namespace eflow::program
