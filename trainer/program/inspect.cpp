// eflow inspect RUN | CHECKPOINT | SHARD | --preset NAME | --options | --specialisations: describes
// one of these.

#include <algorithm>
#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/io/shard/manifest.hpp"
#include "eflow/nn/dit/kernels.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/cost/model_flops.hpp"
#include "eflow/trainer/options/option_text.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::program {
namespace {

using trainer::one_of;
using trainer::Option;

std::string describe_count(double count) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, count < 1e9 ? "%.1f M" : "%.2f G",
                count / (count < 1e9 ? 1e6 : 1e9));
  return buffer;
}

std::string describe_model(const nn::DiTConfig& c) {
  const nn::Grid3 grid = c.grid();
  return str(
      "width ", c.dim, ", heads ", c.heads, " of width ", c.dim / c.heads, ", feed-forward ",
      c.hidden, ", blocks ", c.encoder, " + ", c.middle, " + ", c.decoder, "\nattention ",
      nn::name_of(c.attention), ", gates per ", nn::name_of(c.gates), ", window radius ",
      c.window_radius(), " tokens",
      c.window_index == nn::WindowIndex::kCompact ? " (kept tokens)" : "",
      c.feed_forward == nn::FeedForwardKind::kMix ? ", Mix-FFN" : "",
      c.chunk_frames > 0 ? str(", chunks of ", c.chunk_frames, " token frames") : "",
      c.softmax_every > 0 ? str(", full softmax after every ", c.softmax_every, " blocks") : "",
      "\nclips [", c.channels, ", ", c.frames, ", ", c.height, ", ", c.width, "], patch ",
      c.patch.t, "x", c.patch.h, "x", c.patch.w, ", tokens ", grid.t, "x", grid.h, "x", grid.w,
      " = ", grid.count(), "\nhead predicts ", nn::name_of(c.prediction), "\n");
}

int inspect_preset(const std::string& name) {
  const nn::DiTConfig config = nn::preset(name);
  const auto parameters = nn::parameter_count(config);
  constexpr std::int64_t kTextLength = 512;
  const auto flops = trainer::forward_flops(config, -1, kTextLength);
  std::printf(
      "preset %s: %lld parameters (%s)\n%sforward pass of one clip%s: %.4g GFLOP, %.3g %% of them "
      "in "
      "attention\n",
      name.c_str(), static_cast<long long>(parameters),
      describe_count(static_cast<double>(parameters)).c_str(), describe_model(config).c_str(),
      config.context_dim > 0 ? " with 512 tokens of text" : "", flops.total() / 1e9,
      100 * flops.attention / flops.total());
  return 0;
}

int inspect_shard(const std::string& file) {
  const std::filesystem::path path(file);
  const auto folder = path.parent_path().empty() ? "." : path.parent_path();
  if (!trainer::path_exists(folder / io::kManifestName)) {
    throw trainer::DataError(str(file,
                                 ": expected a shard in the folder of its data set, a run or "
                                 "a checkpoint; found a file in a folder without ",
                                 io::kManifestName, ". Name a run by its folder"));
  }
  const auto manifest = io::read_manifest(folder);
  for (const auto& shard : manifest.shards) {
    if (shard.file != path.filename()) continue;
    std::printf("%s", str("shard of ", manifest.spec.shape, " ", manifest.spec.dtype,
                          " clips: ", shard.count, " of ", manifest.count, ", ", shard.bytes,
                          " bytes, index hash ", to_hex(shard.index_hash), "\n")
                          .c_str());
    return 0;
  }
  throw trainer::DataError(str(file, ": not listed in the manifest of its folder"));
}

int inspect_checkpoint(const std::string& path) {
  const io::Checkpoint checkpoint = trainer::newest_checkpoint(path);
  const trainer::CheckpointInfo info = trainer::info_of(checkpoint);
  const auto model = trainer::dit_config(info.config, info.data.clips);
  std::printf(
      "%s\n%s", checkpoint.path().c_str(),
      str("step ", info.step, " of ", info.config.train.iterations, "\n",
          nn::parameter_count(model), " parameters\n", describe_model(model), "trained on ",
          info.data.training_clips, " clips with ", info.isa, ", ", info.threads, " threads\n")
          .c_str());
  for (std::size_t i = 0; i < info.data.class_names.size(); ++i)
    std::printf("label %zu: %s\n", i, info.data.class_names[i].c_str());
  // An imported run holds averaged weights alone.
  const auto& arrays = checkpoint.arrays();
  const auto in = [](const char* group) {
    return [group](const auto& array) { return array.name.starts_with(group); };
  };
  const std::string group =
      std::any_of(arrays.begin(), arrays.end(), in("model/")) ? "model/" : "ema/";
  for (const auto& array : arrays) {
    if (!array.name.starts_with(group)) continue;
    std::printf("  %s\n",
                str(array.name.substr(group.size()), " ", array.shape, " ", array.dtype).c_str());
  }
  return 0;
}

}  // namespace

int inspect(const Arguments& arguments) {
  std::string preset;
  bool table = false, specialisations = false;
  const std::vector<Option> options = {
      {"preset", &preset, one_of(nn::preset_names()), "Describe a named model size."},
      {"options", &table, "Print the table of all configuration keys, as Markdown."},
      {"specialisations", &specialisations,
       "Print the kernel specialisations that the presets need, as Markdown."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow inspect RUN | CHECKPOINT | SHARD | --preset NAME",
                       "Describes a run, a checkpoint, a shard or a preset."},
                      options);
  }
  Arguments what;
  parse(arguments, options, {}, &what, 1);
  if (table + specialisations + !preset.empty() + !what.empty() > 1) {
    throw InvalidArgument(
        "eflow inspect describes one thing: expected one of RUN, CHECKPOINT, SHARD, --preset, "
        "--options, --specialisations; found several");
  }
  if (table) {
    trainer::Config config;
    return std::printf("# Options\n\nMade by `eflow inspect --options`.\n\n%s",
                       trainer::markdown_table(trainer::options_of(config)).c_str()),
           0;
  }
  if (specialisations) return std::printf("%s", nn::specialisations_page().c_str()), 0;
  if (!preset.empty()) return inspect_preset(preset);
  if (what.empty())
    throw InvalidArgument("eflow inspect: expected a run, a checkpoint, a shard, or --preset NAME");
  if (!std::filesystem::exists(what[0]))
    throw trainer::DataError(str(what[0], ": no such file or folder"));
  if (std::filesystem::is_regular_file(what[0])) return inspect_shard(what[0]);
  return inspect_checkpoint(what[0]);
}

}  // namespace eflow::program
