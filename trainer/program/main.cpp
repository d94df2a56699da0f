// The program: finds the command, maps what it throws to exit codes. --help and --version touch
// nothing else.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "commands.hpp"
#include "eflow/trainer/exit_code.hpp"
#include "eflow/trainer/options.hpp"

namespace eflow::program {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"data synth", "make a labelled set of moving shapes", data_synth},
      {"data pack", "pack .npy videos and labels into a data set", data_pack},
      {"data info", "say what is in a data set", data_info},
      {"data verify", "check every byte of a data set", data_verify},
      {"train", "train a generator", train},
      {"sample", "make clips with a trained run", sample},
      {"eval train-features", "train the classifier that eval reads samples with",
       eval_train_features},
      {"eval frechet", "Frechet distance between two files of features", eval_frechet},
      {"eval", "how far samples are from the data, or a run from an exactly known flow", eval},
      {"inspect", "describe a run, a checkpoint, a shard or a preset", inspect},
      {"bench step", "measure where a training step's time goes", bench_step},
      {"bench glga", "measure the attention kernels", bench_glga},
      {"bench ladder", "time the recipe as it is put together", bench_ladder},
      {"plot", "draw a bar chart of results", plot},
      {"jit", "compiled kernels: what is there, compile, tune, time, ship", jit_command},
  };
  return all;
}

namespace {

int print_commands() {
  std::printf("eflow " EFLOW_VERSION ": few-step video generators, trained from scratch\n\n");
  for (const Command& command : commands()) {
    std::printf("  eflow %-22s %s\n", command.name, command.summary);
  }
  std::printf(
      "\n'eflow COMMAND --help' lists its options. --device cpu|cuda|cuda:N|auto (or EFLOW_DEVICE) "
      "chooses where to\ncompute, cpu if it is not said; cuda has not been run on a GPU yet.\n");
  return 0;
}

/// Does the command line start with the command's one or two words? Returns how many, 0 for no.
std::size_t match(const Command& command, const Arguments& words) {
  const char* space = std::strchr(command.name, ' ');
  const std::string first(command.name, space ? space : command.name + std::strlen(command.name));
  if (words[0] != first) return 0;
  if (!space) return 1;
  return words.size() > 1 && words[1] == space + 1 ? 2 : 0;
}

/// What to say of words that start no command.
std::string unknown_command(const Arguments& words) {
  const std::string given =
      words.size() > 1 && words[1][0] != '-' ? words[0] + " " + words[1] : words[0];
  std::vector<trainer::Option> names;
  bool unused = false;
  for (const Command& command : commands()) names.push_back({command.name, &unused, {}, "", ""});
  const std::string near = trainer::nearest_key(names, given);
  return str("unknown command '", given, "'", near.empty() ? "" : "; did you mean '" + near + "'?",
             "\n'eflow --help' lists the commands");
}

/// Takes --device out of the words: every command has it, and it is the same as EFLOW_DEVICE.
Arguments without_device(const Arguments& words) {
  Arguments rest;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string device;
    if (words[i] == "--device" && i + 1 < words.size())
      device = words[++i];
    else if (words[i].starts_with("--device="))
      device = words[i].substr(9);
    else {
      rest.push_back(words[i]);
      continue;
    }
    setenv("EFLOW_DEVICE", device.c_str(), 1);
  }
  return rest;
}

int dispatch(const Arguments& given) {
  // eflow jit has a --device of its own.
  const Arguments words = !given.empty() && given[0] == "jit" ? given : without_device(given);
  if (words.empty()) {
    print_commands();
    return trainer::kExitUsage;
  }
  if (words[0] == "--help" || words[0] == "-h" || words[0] == "help") return print_commands();
  if (words[0] == "--version") return std::printf("eflow " EFLOW_VERSION "\n"), 0;
  for (const Command& command : commands()) {
    const std::size_t used = match(command, words);
    if (used > 0)
      return command.run({words.begin() + static_cast<std::ptrdiff_t>(used), words.end()});
  }
  throw InvalidArgument(unknown_command(words));
}

}  // namespace
}  // namespace eflow::program

int main(int argc, char** argv) {
  try {
    return eflow::program::dispatch({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "eflow: %s\n", error.what());
    return eflow::trainer::exit_code_of(error);
  }
}
