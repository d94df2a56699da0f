// eflow replay BUNDLE: repeats a step whose loss or gradient norm was not finite, and says where the
// first such value arises.

#include "eflow/trainer/replay/replay.hpp"

#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/commands.hpp"

namespace eflow::program {
namespace {

std::string describe(const trainer::ReplayReport& report) {
  std::string text = str("step ", report.step, ": loss ", report.repeated.loss, ", gradient norm ",
                         report.repeated.grad_norm, "\n");
  if (report.differences.empty())
    text += str("the same bits as recorded: loss, gradient norm, losses of ",
                report.repeated.samples.size(), " clips\n");
  for (const std::string& line : report.odd_inputs) text += "before the step: " + line + "\n";
  if (!report.first) return text + "every op has a finite result\n";
  const trainer::NonFinite& first = *report.first;
  text += str("first value that is not finite: ", first.op,
              first.parameter.empty() ? "" : str(", at or after ", first.parameter), "\n  ",
              first.value, "\n");
  return text + (first.inputs.empty() ? "" : str("  inputs: ", first.inputs, "\n"));
}

}  // namespace

int replay(const Arguments& arguments) {
  if (wants_help(arguments)) {
    return print_help({"eflow replay RUN/replay/step-N",
                       "Repeats a training step whose loss or gradient norm was not finite, and "
                       "says which op computes the first value that is not finite."},
                      {});
  }
  Arguments bundle;
  parse(arguments, {}, {}, &bundle, 1);
  if (bundle.empty()) throw InvalidArgument("eflow replay: expected a folder RUN/replay/step-N");
  const auto report = trainer::replay_step(
      bundle[0], [](const std::string& line) { std::printf("%s\n", line.c_str()); });
  std::printf("%s", describe(report).c_str());
  if (report.differences.empty()) return 0;
  std::string lines;
  for (const std::string& line : report.differences) lines += "\n  " + line;
  throw NumericError("[replay] the step does not repeat bit for bit:" + lines);
}

}  // namespace eflow::program
