#pragma once
// The commands of the program: each parses its own arguments, does one thing through the library
// and returns an exit code. Errors leave as exceptions; main() maps them.

#include <string>
#include <vector>

namespace eflow::program {

using Arguments = std::vector<std::string>;

struct Command {
  const char* name;     ///< "data pack": one or two words
  const char* summary;  ///< one line for the list of commands
  int (*run)(const Arguments& arguments);
};

[[nodiscard]] const std::vector<Command>& commands();

int data_synth(const Arguments& arguments);
int data_pack(const Arguments& arguments);
int data_info(const Arguments& arguments);
int data_verify(const Arguments& arguments);
int train(const Arguments& arguments);
int sample(const Arguments& arguments);
int eval(const Arguments& arguments);
int eval_frechet(const Arguments& arguments);
int eval_train_features(const Arguments& arguments);
int inspect(const Arguments& arguments);
int bench_step(const Arguments& arguments);
int bench_glga(const Arguments& arguments);
int bench_ladder(const Arguments& arguments);
int plot(const Arguments& arguments);
int jit_command(const Arguments& arguments);

}  // namespace eflow::program
