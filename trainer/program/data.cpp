// eflow data synth | pack | info | verify: makes and inspects data sets.

#include <array>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/io/dataset/class_names.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/io/dataset/pack.hpp"
#include "eflow/io/dataset/synth.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/guard/damage.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/clip_progress.hpp"
#include "eflow/trainer/program/signals.hpp"

namespace eflow::program {
namespace {

using trainer::at_least;
using trainer::between;
using trainer::one_of;
using trainer::Option;

/// Names of io::FloatRange and io::SynthSplit on the command line, in the order of the enumerators.
constexpr std::array<std::string_view, 3> kRangeNames = {"symmetric", "unit", "any"};
/// --range auto leaves PackOptions::float_range empty.
constexpr const char* kAutoRange = "auto";
constexpr std::array<std::string_view, 3> kSplitNames = {"train", "held-out", "all"};

void require_file(const std::string& key, const std::string& path) {
  if (path.empty() || std::filesystem::exists(path)) return;
  throw trainer::DataError(str("--", key, ": ", path, ": no such file"));
}

struct PackFlags {
  std::string videos, labels, text, out, names, layout, range = kAutoRange, dtype = "auto";
  bool overwrite = false;
  std::int64_t classes = 0;
  double fps = 8;

  std::vector<Option> options() {
    return {
        {"videos", &videos, "Array of clips: .npy, uint8 or float, 4 or 5 axes."},
        {"labels", &labels,
         "Array of one integer per clip, .npy, of any integer type; default: clips have no "
         "labels."},
        {"text", &text,
         "Captions with embeddings, one line of them per clip, as "
         "scripts/python/encode_captions.py writes them; default: clips have no text."},
        {"out", &out, "Folder of the data set."},
        {"names", &names, "UTF-8 text file with one class name per line, each of them once."},
        {"layout", &layout,
         "Order of the axes, such as NTHWC or NCTHW; required if the shape is ambiguous."},
        {"range", &range, one_of({"auto", "symmetric", "unit", "any"}),
         "Meaning of float values: pixels in [-1, 1], pixels in [0, 1], or latents. auto: "
         "symmetric if the values fit and one is negative; otherwise it must be given."},
        {"dtype", &dtype, one_of({"auto", "u8", "bf16", "f32"}),
         "Data type of the stored clips; auto: u8 for uint8, f32 for floats."},
        {"classes", &classes, at_least(0),
         "Number of classes; 0: the number of names, or the largest label + 1."},
        {"fps", &fps, between(0.1, 1000), "frames/s", "Frame rate of the clips, for animations."},
        {"overwrite", &overwrite,
         "Remove another data set, and files named as shards that eflow did not write, from "
         "--out."},
    };
  }

  [[nodiscard]] io::PackOptions pack_options(std::stop_source* stop) const {
    io::PackOptions options;
    options.layout = layout;
    if (range != kAutoRange)
      options.float_range = enum_from_name<io::FloatRange>("range", range, kRangeNames);
    options.dtype = dtype_from_name(dtype);
    options.class_count = classes;
    options.text = text;
    if (!names.empty()) options.class_names = io::read_class_names(names);
    if (overwrite) options.foreign = io::ForeignFiles::kOverwrite;
    options.fps = fps;
    options.progress = ClipProgress("packing", stop);
    options.stop = stop->get_token();
    return options;
  }
};

/// Packs the arrays. Faults of the arrays become data errors; an ambiguity, which only the command
/// line can resolve, stays a usage error.
io::PackReport pack(const PackFlags& flags) {
  std::stop_source stop;
  try {
    return io::pack_npy(flags.videos, flags.labels, flags.out, flags.pack_options(&stop));
  } catch (const io::AmbiguousArray&) {
    throw;
  } catch (const InvalidArgument& error) {
    throw trainer::DataError(error.what());
  }
}

}  // namespace

int data_pack(const Arguments& arguments) {
  PackFlags flags;
  if (wants_help(arguments)) {
    return print_help(
        {"eflow data pack --videos V.npy [--labels L.npy] [--text T.safetensors] --out DIR [...]",
         "Packs arrays into a checksummed, compressed data set. After an interruption, the "
         "same command continues; on a damaged data set, it packs the damaged parts again."},
        flags.options());
  }
  const auto given = parse(arguments, flags.options(), {"videos", "out"});
  require_file("videos", flags.videos);
  require_file("labels", flags.labels);
  require_file("text", flags.text);
  require_file("names", flags.names);
  if (io::NpyFile(flags.videos).dtype() == DType::kU8)
    refuse_given(given, {"range"}, "has no effect on uint8 values, which are pixels from 0 to 255");
  install_stop_signals();
  return print_report(pack(flags), flags.out);
}

int data_synth(const Arguments& arguments) {
  std::string out, split = "train";
  bool overwrite = false;
  std::int64_t size = 32, frames = 8, seed = 0;
  const std::vector<Option> options = {
      {"out", &out, "Folder of the data set."},
      {"size", &size, between(8, 512), "pixels", "Height and width of the clips."},
      {"frames", &frames, between(2, 256), "frames", "Length of the clips."},
      {"split", &split, one_of({kSplitNames.begin(), kSplitNames.end()}),
       "Colour combinations: train is seven of eight, held-out the eighth."},
      {"seed", &seed, at_least(0), "Selects the combinations to hold out, and their order."},
      {"overwrite", &overwrite,
       "Remove another data set, and files named as shards that eflow did not write, from --out."},
  };
  if (wants_help(arguments)) {
    return print_help(
        {"eflow data synth --out DIR [...]",
         "Makes a labelled data set of looping clips: 3 shapes x 3 motions in many colours."},
        options);
  }
  parse(arguments, options, {"out"});
  install_stop_signals();
  const io::SynthShapes shapes({static_cast<int>(frames), static_cast<int>(size),
                                static_cast<std::uint64_t>(seed),
                                enum_from_name<io::SynthSplit>("split", split, kSplitNames)});
  std::stop_source stop;
  io::PackOptions packing;
  if (overwrite) packing.foreign = io::ForeignFiles::kOverwrite;
  packing.progress = ClipProgress("drawing", &stop);
  packing.stop = stop.get_token();
  return print_report(
      io::pack_source(shapes, out, str("synth/1 ", size, " ", frames, " ", split, " ", seed),
                      packing),
      out);
}

namespace {

/// Lines about captions and latent space, if there are any.
std::string describe_text(const io::Dataset& set) {
  const io::DatasetSpec& spec = set.manifest().spec;
  std::string lines;
  if (!spec.latent.name.empty()) lines += str("\nlatents     ", spec.latent.name);
  if (!spec.latent.mean.empty() || !spec.latent.std.empty())
    lines += "\n            normalised per channel on reading";
  if (!spec.text) return lines;
  std::int64_t captions = 0, longest = 0, tokens = 0;
  for (std::int64_t i = 0; i < set.size(); ++i) {
    for (std::int64_t k = 0; k < set.captions(i); ++k) {
      ++captions;
      tokens += set.caption_rows(i, k);
      longest = std::max(longest, set.caption_rows(i, k));
    }
  }
  lines += str("\ntext        ", captions, " captions, ", spec.text->width, " ", spec.text->dtype,
               " per token, ", tokens / captions, " tokens on average, at most ", longest,
               ", padded to ", spec.text->max_length, "\nencoder     ",
               spec.text->encoder.empty() ? "unknown" : spec.text->encoder, " ",
               spec.text->encoder_hash, "\nprompts     ");
  for (const io::Prompt& prompt : set.prompts()) lines += prompt.name + " ";
  if (set.prompts().empty()) lines += "none; the null condition is zero";
  return lines;
}

}  // namespace

int data_info(const Arguments& arguments) {
  const std::vector<Option> options;
  if (wants_help(arguments))
    return print_help({"eflow data info DIR", "Describes a data set."}, options);
  Arguments folder;
  parse(arguments, options, {}, &folder, 1);
  if (folder.empty()) throw InvalidArgument("eflow data info: expected a folder");
  const auto set = trainer::open_dataset(folder[0]);
  const io::DatasetSpec& spec = set->manifest().spec;
  std::printf("%s",
              str("clips       ", set->size(), "\nshape       ", spec.shape,
                  " (channels, frames, height, width) ", spec.dtype, "\nvalues      stored * ",
                  spec.mapping.scale, " + ", spec.mapping.offset, describe_text(*set),
                  "\nframes/s    ", spec.fps, "\nshards      ", set->manifest().shards.size(), ", ",
                  set->stored_bytes() / 1024, " KiB\nclasses     ", spec.class_count, "\n")
                  .c_str());
  std::vector<std::int64_t> counts(static_cast<std::size_t>(spec.class_count));
  for (const std::int32_t label : set->labels()) {
    if (!counts.empty()) ++counts.at(static_cast<std::size_t>(label));
  }
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::printf("  %3zu  %6lld clips  %s\n", i, static_cast<long long>(counts[i]),
                spec.class_names.empty() ? "" : spec.class_names[i].c_str());
  }
  return 0;
}

namespace {

/// Reads again the clips of the data set that a run's quarantine.jsonl lists. Returns the number that
/// are still damaged.
std::size_t verify_listed(const io::Dataset& set, const std::string& folder,
                          const std::string& list) {
  trainer::DamageList damage;
  damage.merge(read_file(list), list);
  const auto same_folder = [&](const std::string& other) {
    std::error_code ignored;
    return std::filesystem::equivalent(folder, other, ignored);
  };
  std::size_t checked = 0, damaged = 0;
  std::vector<float> values(static_cast<std::size_t>(element_count(set.clip_shape())));
  std::vector<float> context(static_cast<std::size_t>(element_count(set.context_shape())));
  for (const trainer::DamagedClip& clip : damage.all()) {
    if (!same_folder(clip.data)) continue;
    ++checked;
    try {
      set.read(clip.clip, values);
      for (std::int64_t k = 0; k < set.captions(clip.clip); ++k)
        set.read_context(clip.clip, static_cast<std::uint64_t>(k), context);
      std::printf("clip %lld reads well now\n", static_cast<long long>(clip.clip));
    } catch (const CorruptData& error) {
      ++damaged;
      std::fprintf(stderr, "%s\n", error.what());
    }
  }
  if (checked == 0) throw InvalidArgument(str("--list: ", list, " lists no clip of ", folder));
  std::printf("%zu of %zu listed clips are damaged\n", damaged, checked);
  return damaged;
}

}  // namespace

int data_verify(const Arguments& arguments) {
  std::string list;
  const std::vector<Option> options = {
      {"list", &list, "Check only the clips of this data set in a run's quarantine.jsonl."}};
  if (wants_help(arguments))
    return print_help(
        {"eflow data verify DIR [--list RUN/quarantine.jsonl]",
         "Reads and checks every byte of a data set, or the clips that a run found damaged."},
        options);
  Arguments folder;
  parse(arguments, options, {}, &folder, 1);
  if (folder.empty()) throw InvalidArgument("eflow data verify: expected a folder");
  if (!std::filesystem::exists(folder[0]))
    throw trainer::DataError(str(folder[0], ": no such folder"));
  if (!list.empty()) {
    const auto set = trainer::open_dataset(folder[0]);
    if (verify_listed(*set, folder[0], list) == 0) return 0;
    throw trainer::DataError(str(folder[0], ": clips are damaged, listed above"));
  }
  const auto faults = io::verify_dataset(folder[0], ClipProgress("checking"));
  for (const auto& fault : faults) std::fprintf(stderr, "%s\n", fault.text.c_str());
  if (!faults.empty())
    throw trainer::DataError(str(folder[0], ": ", faults.size(),
                                 faults.size() == 1 ? " fault" : " faults", ", listed above"));
  std::printf("%s: all checksums match\n", folder[0].c_str());
  return 0;
}

}  // namespace eflow::program
