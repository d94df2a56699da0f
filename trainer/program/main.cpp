// The program: runs the command and maps its exceptions to exit codes. --help and --version create
// no device and touch no files.

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/options/options.hpp"
#include "eflow/trainer/program/commands.hpp"
#include "eflow/trainer/program/console.hpp"
#include "eflow/trainer/program/signals.hpp"
#include "eflow/version.hpp"

namespace eflow::program {

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"data synth", "make a labelled data set of moving shapes", data_synth, false},
      {"data pack", "pack .npy videos and labels into a data set", data_pack, false},
      {"data import", "pack arrays, archives, videos or HDF5 files", data_import, false},
      {"data captions", "list the captions of clips for a text encoder", data_captions, false},
      {"data merge", "join packed data sets", data_merge, false},
      {"data stats", "measure channels, captions and duplicates", data_stats, false},
      {"data rgb", "fit colours to latents, for pictures of them", data_rgb, false},
      {"data info", "describe a data set", data_info, false},
      {"data verify", "check every byte of a data set", data_verify, false},
      {"train", "train a generator", train},
      {"launch", "start a training run on several ranks", launch},
      {"sample", "generate clips with a trained run", sample},
      {"eval train-features", "train the classifier that eval uses", eval_train_features},
      {"eval frechet", "compute the Frechet distance between two files of features", eval_frechet,
       false},
      {"eval", "compare samples with the data, or a run with an exactly known flow", eval},
      {"import", "make a run of public weights: Wan 2.1, AnyFlow", import_weights},
      {"export", "write a run's weights as a transformer that diffusers loads", export_weights},
      {"replay", "repeat a recorded step whose loss was not finite", replay},
      {"ckpt ls", "list the checkpoints of a run", ckpt_ls, false},
      {"ckpt verify", "check every byte of checkpoints", ckpt_verify, false},
      {"ckpt diff", "compare two checkpoints", ckpt_diff, false},
      {"ckpt prune", "remove checkpoints that nothing needs", ckpt_prune, false},
      {"inspect", "describe a run, a checkpoint, a shard or a preset", inspect, false},
      {"bench step", "measure the parts of a training step", bench_step},
      {"bench glga", "measure the attention kernels", bench_glga},
      {"bench comm", "measure messages between ranks", bench_comm},
      {"bench ladder", "time the training recipe as it is assembled", bench_ladder},
      {"plot", "draw a bar chart of results", plot, false},
      {"jit", "compile, inspect, tune, time and ship kernels", jit_command},
  };
  return all;
}

namespace {

void print_summary(const Command& command) {
  std::printf("  eflow %-22s %s\n", command.name, command.summary);
}

int print_commands() {
  std::printf("eflow " EFLOW_VERSION ": few-step video generators, trained from scratch\n\n");
  for (const Command& command : commands()) print_summary(command);
  std::printf(
      "\n'eflow COMMAND --help' lists a command's options. --device cpu|cuda|cuda:N|auto (or "
      "EFLOW_DEVICE) selects\nthe device of commands that compute; default: cpu. docs/cuda.md says "
      "what has run on a GPU.\n");
  return 0;
}

/// Number of words that the command's name takes at the start of the command line; 0: no match.
std::size_t match(const Command& command, const Arguments& words) {
  const char* space = std::strchr(command.name, ' ');
  const std::string first(command.name, space ? space : command.name + std::strlen(command.name));
  if (words[0] != first) return 0;
  if (!space) return 1;
  return words.size() > 1 && words[1] == space + 1 ? 2 : 0;
}

/// Lists the commands whose names start with this word, if it is the first of several: `eflow data`.
bool print_group(const std::string& word) {
  const auto belongs = [&](const Command& command) {
    return std::string_view(command.name).starts_with(word + " ");
  };
  if (std::none_of(commands().begin(), commands().end(), belongs)) return false;
  for (const Command& command : commands())
    if (belongs(command)) print_summary(command);
  std::printf("\n'eflow COMMAND --help' lists a command's options.\n");
  return true;
}

/// The error message for a command line that starts with no command.
std::string unknown_command(const Arguments& words) {
  const std::string given =
      words.size() > 1 && words[1][0] != '-' ? words[0] + " " + words[1] : words[0];
  std::vector<trainer::Option> names;
  bool unused = false;
  for (const Command& command : commands()) names.push_back({command.name, &unused, ""});
  const std::string near = trainer::nearest_key(names, given);
  return str("unknown command '", given, "'", near.empty() ? "" : "; did you mean '" + near + "'?",
             "\n'eflow --help' lists the commands");
}

/// Removes --device, which every command that computes accepts, and sets EFLOW_DEVICE to its value.
Arguments without_device(const Arguments& words) {
  const bool computes =
      std::none_of(commands().begin(), commands().end(), [&](const Command& command) {
        return !command.computes && !words.empty() && match(command, words) > 0;
      });
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
    if (!computes) {
      throw InvalidArgument(
          str("--device has no effect: this command computes nothing on a device; found ", device));
    }
    setenv("EFLOW_DEVICE", device.c_str(), 1);
  }
  return rest;
}

int dispatch(const Arguments& given) {
  // eflow jit parses its own --device, and eflow launch passes it on.
  const bool own_device = !given.empty() && (given[0] == "jit" || given[0] == "launch");
  const Arguments words = own_device ? given : without_device(given);
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
  const bool helps = words.size() == 2 && (words[1] == "--help" || words[1] == "-h");
  if ((words.size() == 1 || helps) && print_group(words[0])) return helps ? 0 : trainer::kExitUsage;
  throw InvalidArgument(unknown_command(words));
}

/// The exit code after everything that stdio still holds is written. Output that is lost is an
/// error, unless its reader ended first (`| head`).
int with_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  pollfd reader{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&reader, 1, 0) > 0 && (reader.revents & POLLERR) != 0) return code;
  std::fprintf(stderr, "eflow: standard output: part of the text could not be written\n");
  return code == trainer::kExitOk ? trainer::kExitIo : code;
}

/// The message of an error. Exceptions of the standard library name neither cause nor remedy as ours
/// do.
std::string message_of(const std::exception& error) {
  const auto* system = dynamic_cast<const std::filesystem::filesystem_error*>(&error);
  if (!system) return error.what();
  try {
    errno = system->code().value();
    throw_errno("file system", system->path1().string());
  } catch (const IoError& ours) {
    return ours.what();
  }
}

}  // namespace
}  // namespace eflow::program

int main(int argc, char** argv) {
  eflow::program::survive_outputs();
  try {
    return eflow::program::with_output(eflow::program::dispatch({argv + 1, argv + argc}));
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "eflow: %s\n",
                 eflow::trainer::printable(eflow::program::message_of(error)).c_str());
    return eflow::trainer::exit_code_of(error);
  }
}
