#pragma once
// The commands of the program. Each parses its own arguments, does one thing through the library
// and returns an exit code. Errors are exceptions, which main() maps to exit codes.

#include <string>
#include <vector>

namespace eflow::program {

/// The words after the command's name.
using Arguments = std::vector<std::string>;

struct Command {
  const char* name;     ///< "data pack": one or two words
  const char* summary;  ///< one line for the list of commands
  int (*run)(const Arguments& arguments);
  bool computes = true;  ///< uses the device of --device
};

/// All commands, in the order in which --help lists them.
[[nodiscard]] const std::vector<Command>& commands();

int data_synth(const Arguments& arguments);
int data_pack(const Arguments& arguments);
int data_import(const Arguments& arguments);
int data_captions(const Arguments& arguments);
int data_merge(const Arguments& arguments);
int data_stats(const Arguments& arguments);
int data_rgb(const Arguments& arguments);
int data_info(const Arguments& arguments);
int data_verify(const Arguments& arguments);
int train(const Arguments& arguments);
int launch(const Arguments& arguments);
int sample(const Arguments& arguments);
int eval(const Arguments& arguments);
int eval_frechet(const Arguments& arguments);
int eval_train_features(const Arguments& arguments);
int import_weights(const Arguments& arguments);
int export_weights(const Arguments& arguments);
int replay(const Arguments& arguments);
int ckpt_ls(const Arguments& arguments);
int ckpt_verify(const Arguments& arguments);
int ckpt_diff(const Arguments& arguments);
int ckpt_prune(const Arguments& arguments);
int inspect(const Arguments& arguments);
int bench_step(const Arguments& arguments);
int bench_comm(const Arguments& arguments);
int bench_glga(const Arguments& arguments);
int bench_ladder(const Arguments& arguments);
int plot(const Arguments& arguments);
int jit_command(const Arguments& arguments);

}  // namespace eflow::program
