// eflow jit ...: all of it is jit's own; see eflow/jit/commands.hpp.

#include <cstdio>
#include <iostream>

#include "arguments.hpp"
#include "eflow/base/error.hpp"
#include "eflow/core/runnable_kernels.hpp"
#include "eflow/jit/commands.hpp"
#include "eflow/nn/dit_kernels.hpp"

namespace eflow::program {
namespace {

/// Every model by name: what training it asks for, dense and with 75 % of the middle's tokens dropped.
jit::TuningLists tuning_lists() {
  jit::TuningLists out;
  for (const std::string& name : nn::preset_names()) {
    out[name] = [name](jit::TuningNeeds asked) {
      const DType dtype = asked.backend == jit::Backend::kHost ? DType::kF32 : DType::kBF16;
      return nn::tuning_jobs(nn::preset(name),
                             {.backend = asked.backend, .dtype = dtype, .kept_percent = 25});
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
    throw InvalidArgument("eflow jit: a command is missing\n" + jit::jit_usage());
  return jit::run_jit_command(arguments, std::cout, jit::Options::from_environment(),
                              runnable_kernels(), {{"default", nn::default_kernels}},
                              tuning_lists());
}

}  // namespace eflow::program
