// eflow jit ...: passes the models' kernels to the commands of eflow/trainer/program/jit/commands.hpp.

#include <cstdio>
#include <iostream>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tuning/tunable_kernels.hpp"
#include "eflow/nn/dit/products.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/jit/commands.hpp"

namespace eflow::program {
namespace {

/// One list per preset: the kernels that training it needs, dense and with 75 % of the middle
/// tokens dropped; on a GPU also its matrix products.
jit::TuningLists tuning_lists() {
  jit::TuningLists out;
  for (const std::string& name : nn::preset_names()) {
    out[name] = [name](jit::TuningNeeds asked) {
      const bool on_host = asked.backend == jit::Backend::kHost;
      const nn::DiTConfig config = nn::preset(name);
      const nn::KernelNeeds needs{.backend = asked.backend,
                                  .dtype = on_host ? DType::kF32 : DType::kBF16,
                                  .kept_percent = 25};
      std::vector<jit::TuningJob> jobs = nn::tuning_jobs(config, needs);
      const std::vector<jit::TuningJob> products = nn::product_jobs(config, needs, asked.batch);
      jobs.insert(jobs.end(), products.begin(), products.end());
      return jobs;
    };
  }
  return out;
}

}  // namespace

int jit_command(const Arguments& arguments) {
  if (wants_help(arguments)) {
    return std::printf("usage: eflow jit COMMAND [...]\n\n%s", jit::jit_usage().c_str()), 0;
  }
  if (arguments.empty())
    throw InvalidArgument("eflow jit: expected a command\n" + jit::jit_usage());
  return jit::run_jit_command(arguments, std::cout, jit::Options::from_environment(),
                              tunable_kernels(), {{"default", nn::default_kernels}},
                              tuning_lists());
}

}  // namespace eflow::program
