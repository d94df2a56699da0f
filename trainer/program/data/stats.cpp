// eflow data stats: statistics of a packed data set.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/io/import/dataset_stats.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/clip_progress.hpp"

namespace eflow::program {
namespace {

/// The channels' statistics before normalisation, in the form that --latent-space reads.
std::string raw_statistics(const io::DatasetStats& stats, const io::LatentSpace& space) {
  std::vector<double> mean, std;
  for (std::size_t c = 0; c < stats.channels.size(); ++c) {
    const double scale = space.std.empty() ? 1 : space.std[c];
    mean.push_back(stats.channels[c].mean * scale + (space.mean.empty() ? 0 : space.mean[c]));
    std.push_back(stats.channels[c].std() * scale);
  }
  return nlohmann::json{{"name", space.name}, {"mean", mean}, {"std", std}}.dump(1) + "\n";
}

void print_captions(const io::DatasetStats& stats) {
  std::printf(
      "captions    %lld, %lld different, %lld empty; %lld to %lld tokens, %.1f on average\n",
      static_cast<long long>(stats.captions), static_cast<long long>(stats.different_captions),
      static_cast<long long>(stats.empty_captions), static_cast<long long>(stats.shortest),
      static_cast<long long>(stats.longest),
      static_cast<double>(stats.tokens) / static_cast<double>(stats.captions));
}

void print_duplicates(const io::DatasetStats& stats) {
  constexpr std::size_t kShown = 5;
  std::printf("duplicates  %lld", static_cast<long long>(stats.duplicate_count));
  for (std::size_t i = 0; i < stats.duplicates.size() && i < kShown; ++i) {
    const auto& [clip, first] = stats.duplicates[i];
    std::printf("%s clip %lld is clip %lld", i ? "," : ":", static_cast<long long>(clip),
                static_cast<long long>(first));
  }
  std::printf("%s\nconstant    %lld clips of one value\n",
              stats.duplicates.size() > kShown ? ", ..." : "",
              static_cast<long long>(stats.constant_clips));
}

}  // namespace

int data_stats(const Arguments& arguments) {
  std::string out;
  const std::vector<trainer::Option> options = {
      {"out", &out,
       "JSON file for the channels' mean and std before normalisation, which data import "
       "--latent-space reads."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow data stats DIR [--out FILE.json]",
                       "Mean and standard deviation of each channel as a model sees it, lengths of "
                       "captions, duplicates."},
                      options);
  }
  std::vector<std::string> folder;
  parse(arguments, options, {}, &folder, 1);
  if (folder.empty()) throw InvalidArgument("eflow data stats: expected a folder");
  const auto set = trainer::open_dataset(folder[0]);
  const io::DatasetSpec& spec = set->manifest().spec;
  const io::DatasetStats stats = io::measure_dataset(*set, ClipProgress("reading"));
  std::printf("clips       %lld of %s\nchannel       mean        std        min        max\n",
              static_cast<long long>(set->size()), str(spec.shape).c_str());
  for (std::size_t c = 0; c < stats.channels.size(); ++c) {
    const io::ChannelMoments& channel = stats.channels[c];
    std::printf("%5zu   %10.4f %10.4f %10.4f %10.4f\n", c, channel.mean, channel.std(), channel.low,
                channel.high);
  }
  print_duplicates(stats);
  if (stats.captions > 0) print_captions(stats);
  const bool pixels = spec.dtype == DType::kU8 || io::highest_of(stats.channels) <= 1;
  if (!pixels && io::looks_unnormalised(stats.channels)) {
    std::fprintf(stderr,
                 "warning: these latents look unnormalised: a channel's mean is beyond 0.5, or its "
                 "std outside 0.5 to 2. Import them with --latent-space\n");
  }
  if (!out.empty()) write_file_atomically(out, raw_statistics(stats, spec.latent));
  return 0;
}

}  // namespace eflow::program
