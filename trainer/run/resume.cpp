#include "eflow/trainer/run/resume.hpp"

#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/options/option_text.hpp"

namespace eflow::trainer {
namespace {

/// Keys that must not change within a run: another value would mean another model, or clips that
/// are repeated or skipped.
bool is_fixed(const std::string& key) {
  if (key.rfind("model.", 0) == 0) return key != "model.preset" && key != "model.condition";
  return key == "train.batch" || key == "train.seed" || key == "guidance.embed" ||
         key == "data.buckets";
}

std::string first_lines(const std::vector<std::string>& lines) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(kShown, lines.size()); ++i) text += "\n  " + lines[i];
  if (lines.size() > kShown) text += str("\n  and ", lines.size() - kShown, " more");
  return text;
}

std::vector<std::string> format_differences(const DataInfo& was, const DataInfo& is) {
  std::vector<std::string> lines;
  const auto compare = [&](const char* what, auto a, auto b) {
    if (a != b) lines.push_back(str(what, ": checkpoint ", a, ", now ", b));
  };
  compare("channels", was.clips.channels, is.clips.channels);
  compare("frames", was.clips.frames, is.clips.frames);
  compare("height", was.clips.height, is.clips.height);
  compare("width", was.clips.width, is.clips.width);
  compare("classes", was.clips.classes, is.clips.classes);
  compare("context dimension", was.clips.context_dim, is.clips.context_dim);
  compare("context length", was.text.length, is.text.length);
  return lines;
}

}  // namespace

std::optional<io::Checkpoint> find_checkpoint(const std::string& mode, const RunDirectory& run,
                                              const Say& say) {
  const io::CheckpointStore store(run.checkpoints());
  if (mode == "never") {
    if (store.list().empty()) return std::nullopt;
    throw InvalidArgument(
        str("--resume never: ", run.path().string(),
            " already has checkpoints; choose another --out, or resume with --resume auto"));
  }
  if (mode == "auto") {
    auto found = store.latest_good();
    if (!found && !store.list().empty()) {
      throw CheckpointError(str("[resume] all checkpoints in ", run.checkpoints().string(),
                                " are damaged; move the folder away to start from scratch"));
    }
    say(found ? str("resuming from ", found->path().string())
              : str("starting a new run in ", run.path().string()));
    return found;
  }
  const std::filesystem::path path(mode);
  if (!path_exists(path)) throw CheckpointError(str("[resume] ", mode, ": no such file or folder"));
  if (path_exists(RunDirectory(path).checkpoints())) {
    auto found = io::CheckpointStore(RunDirectory(path).checkpoints()).latest_good();
    if (!found) throw CheckpointError(str("[resume] ", mode, ": no intact checkpoint in this run"));
    return found;
  }
  return open_checkpoint(path);
}

std::optional<io::Checkpoint> find_checkpoint_together(const std::string& mode,
                                                       const RunDirectory& run, const Say& say,
                                                       comm::Communicator* ranks) {
  std::optional<io::Checkpoint> checkpoint;
  if (ranks->is_first()) checkpoint = find_checkpoint(mode, run, say);
  const std::string path =
      ranks->broadcast(checkpoint ? std::filesystem::absolute(checkpoint->path()).string() : "", 0,
                       {"checkpoint to resume from"});
  if (!ranks->is_first() && !path.empty()) checkpoint = open_checkpoint(path);
  return checkpoint;
}

void check_fits(const io::Checkpoint& checkpoint, const Config& config, const DataInfo& data,
                const Say& say) {
  CheckpointInfo info = info_of(checkpoint);
  Config now = config;
  std::vector<std::string> fatal = format_differences(info.data, data), harmless;
  for (const auto& d : differences(options_of(info.config), options_of(now))) {
    (is_fixed(d.key) ? fatal : harmless)
        .push_back(str(d.key, ": checkpoint ", d.before, ", now ", d.now));
  }
  if (fatal.empty() && (info.data.fingerprint != data.fingerprint ||
                        info.data.training_clips != data.training_clips)) {
    fatal.push_back(str("data set: checkpoint ", info.data.fingerprint, " with ",
                        info.data.training_clips, " training clips, now ", data.fingerprint,
                        " with ", data.training_clips));
    if (info.data.fingerprint + kStratifiedMark == data.fingerprint) {
      fatal.push_back(
          "held-out clips: the checkpoint's are the last clips of the data set; "
          "--data.eval=last withholds them again");
    }
  }
  if (!fatal.empty()) {
    throw CheckpointError(str("[resume] ", checkpoint.path().string(),
                              " cannot be resumed with this configuration:", first_lines(fatal),
                              "\nuse the checkpoint's values (in stage N: --stageN.KEY=VALUE), or "
                              "choose another --out"));
  }
  if (!harmless.empty()) say("options changed since the checkpoint:" + first_lines(harmless));
  auto& runtime = default_device()->runtime();
  if (info.isa != runtime.target().arch || info.threads != runtime.pool().size()) {
    say(str("the checkpoint was written with ", info.isa, " and ", info.threads,
            " threads, this process uses ", runtime.target().arch, " and ", runtime.pool().size(),
            ": results may differ in the last bits"));
  }
}

}  // namespace eflow::trainer
