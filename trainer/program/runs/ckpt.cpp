// eflow ckpt ls | verify | diff | prune: looks after the checkpoints of a run.

#include <cstdio>
#include <filesystem>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/number_text.hpp"
#include "eflow/trainer/checkpoints/checkpoint_diff.hpp"
#include "eflow/trainer/checkpoints/checkpoint_list.hpp"
#include "eflow/trainer/checkpoints/prune.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/commands.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::program {
namespace {

using trainer::Option;
namespace fs = std::filesystem;

std::string mebibytes(std::uint64_t bytes) {
  return fixed_text(static_cast<double>(bytes) / (1 << 20), 1) + " MiB";
}

io::CheckpointStore store_of(const fs::path& folder) {
  return io::CheckpointStore(trainer::RunDirectory(folder).checkpoints());
}

/// The positional arguments, exactly `count` of them.
Arguments words_of(const Arguments& arguments, const std::vector<Option>& options,
                   std::size_t count, const char* expected) {
  Arguments words;
  parse(arguments, options, {}, &words, count);
  if (words.size() != count) throw InvalidArgument(expected);
  return words;
}

/// The checkpoint folders that a run or a checkpoint stands for.
std::vector<fs::path> checkpoints_of(const fs::path& given) {
  if (trainer::path_exists(given / "manifest.json")) return {given};
  std::vector<fs::path> all;
  for (const fs::path& folder : trainer::run_folders(given)) {
    const io::CheckpointStore store = store_of(folder);
    for (const std::int64_t step : store.list()) all.push_back(store.path_of(step));
  }
  return all;
}

}  // namespace

int ckpt_ls(const Arguments& arguments) {
  if (wants_help(arguments))
    return print_help({"eflow ckpt ls RUN", "Lists the checkpoints of a run and of its stages."},
                      {});
  const Arguments run = words_of(arguments, {}, 1, "eflow ckpt ls: expected the folder of a run");
  for (const fs::path& folder : trainer::run_folders(run[0])) {
    std::printf("%s\n", folder.c_str());
    for (const trainer::ListedCheckpoint& one : trainer::list_checkpoints(folder)) {
      std::printf("%s\n", str("  step ", one.step, "  ", mebibytes(one.bytes), "  ",
                              one.error ? "held-out error " + short_text(*one.error, 4)
                                        : std::string("no held-out error"))
                              .c_str());
    }
  }
  return 0;
}

int ckpt_verify(const Arguments& arguments) {
  if (wants_help(arguments))
    return print_help({"eflow ckpt verify RUN | CHECKPOINT",
                       "Reads and checks every byte of a checkpoint, or of all of a run."},
                      {});
  const Arguments given =
      words_of(arguments, {}, 1, "eflow ckpt verify: expected a run or a checkpoint");
  std::size_t damaged = 0, checked = 0;
  for (const fs::path& path : checkpoints_of(given[0])) {
    ++checked;
    try {
      io::Checkpoint(path).verify();
      std::printf("%s: intact\n", path.c_str());
    } catch (const CorruptData& error) {
      ++damaged;
      std::printf("%s: damaged: %s\n", path.c_str(), error.what());
    }
  }
  if (damaged > 0)
    throw trainer::CheckpointError(
        str(given[0], ": ", damaged, " of ", checked, " checkpoints are damaged, listed above"));
  return 0;
}

int ckpt_diff(const Arguments& arguments) {
  if (wants_help(arguments))
    return print_help({"eflow ckpt diff RUN | CHECKPOINT RUN | CHECKPOINT",
                       "Compares two checkpoints: their configurations, and every array bit for "
                       "bit. A run stands for its newest intact checkpoint."},
                      {});
  const Arguments two =
      words_of(arguments, {}, 2, "eflow ckpt diff: expected two runs or checkpoints");
  const auto diff = trainer::compare_checkpoints(trainer::newest_checkpoint(two[0]),
                                                 trainer::newest_checkpoint(two[1]));
  for (const std::string& line : diff.facts) std::printf("%s\n", line.c_str());
  for (const std::string& line : diff.arrays) std::printf("%s\n", line.c_str());
  std::printf("%zu arrays have the same bits, %zu differ\n", diff.equal, diff.arrays.size());
  return 0;
}

int ckpt_prune(const Arguments& arguments) {
  trainer::PruneRules rules;
  bool dry_run = false;
  const std::vector<Option> options = {
      {"last", &rules.last, trainer::between(1, 1e6), "Newest checkpoints to keep."},
      {"every", &rules.every, trainer::between(0, 1e9), "steps",
       "Keep multiples of this; 0 for none."},
      {"best", &rules.best, trainer::between(0, 1e6),
       "Keep this many with the lowest held-out error."},
      {"dry_run", &dry_run, "Only say what would be removed."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow ckpt prune RUN [--last N] [--every N] [--best N] [--dry-run]",
                       "Removes checkpoints of a run that is not training. Keeps what the rules "
                       "name, at least one, the newest intact one, and what a stage of the run "
                       "began from."},
                      options);
  }
  Arguments run;
  const auto given = parse(arguments, options, {}, &run, 1);
  if (run.empty()) throw InvalidArgument("eflow ckpt prune: expected the folder of a run");
  if (!given.contains("last") && !given.contains("every") && !given.contains("best"))
    throw InvalidArgument(
        "eflow ckpt prune: expected --last, --every or --best, which say what is kept; found none. "
        "--last 1 removes all but the newest");
  std::uint64_t freed = 0;
  std::size_t removed = 0;
  for (const fs::path& folder : trainer::run_folders(run[0])) {
    for (const auto& one : trainer::prune_checkpoints(folder, rules, dry_run)) {
      const std::string fate = one.kept.empty()
                                   ? std::string(dry_run ? "would be removed" : "removed")
                                   : "kept: " + one.kept;
      std::printf("%s: %s\n", store_of(folder).path_of(one.step).c_str(), fate.c_str());
      if (!one.kept.empty()) continue;
      freed += one.bytes;
      ++removed;
    }
  }
  std::printf("%zu checkpoints, %s%s\n", removed, mebibytes(freed).c_str(),
              dry_run ? " (dry run)" : "");
  return 0;
}

}  // namespace eflow::program
