// eflow data import: packs arrays, archives, videos and HDF5 files into a data set.

#include "eflow/io/import/import.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "eflow/core/base/named_enum.hpp"
#include "eflow/io/dataset/class_names.hpp"
#include "eflow/io/import/latent_spaces.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/clip_progress.hpp"
#include "eflow/trainer/program/data/item_flags.hpp"
#include "eflow/trainer/program/signals.hpp"

namespace eflow::program {
namespace {

using trainer::at_least;
using trainer::one_of;
using trainer::Option;

/// Reading is the first pass, whose total may be unknown; packing the second.
class TwoPasses {
 public:
  explicit TwoPasses(std::stop_source* stop) : stop_(stop) {}
  void operator()(std::int64_t done, std::int64_t total) {
    if (done == 1) bar_.emplace(pass_++ == 0 ? "reading" : "packing", stop_);
    if (total > 0 && bar_) return (*bar_)(done, total);
    if (done % 1000 == 0) std::fprintf(stderr, "read %lld clips\n", static_cast<long long>(done));
    if (stop_requested()) stop_->request_stop();
  }

 private:
  std::stop_source* stop_;
  int pass_ = 0;
  std::optional<ClipProgress> bar_;
};

constexpr std::array<std::string_view, 3> kRangeNames = {"symmetric", "unit", "any"};
constexpr std::array<std::string_view, 3> kNormalisedNames = {"auto", "no", "yes"};
constexpr const char* kMeasure = "measure";
constexpr std::size_t kMostInputs = 1 << 16;
constexpr std::size_t kSkippedShown = 20;

struct ImportFlags {
  ItemFlags items;
  std::string out, text, names, layout, range = "auto", dtype = "auto", latent_space, shape, part;
  std::string normalised = "auto";
  bool overwrite = false, strict = false;
  std::int64_t classes = 0;

  std::vector<Option> options() {
    std::vector<Option> all = {
        {"out", &out, "Folder of the data set."},
        {"text", &text,
         "Table of captions with embeddings, as scripts/python/encode_captions.py writes them. "
         "Captions that clips bring are looked up in it; otherwise it assigns them by number."},
    };
    for (const Option& option : items.options()) all.push_back(option);
    const std::vector<Option> more = {
        {"layout", &layout,
         "Order of the axes of arrays, with N for clips: NCTHW, NTHWC, NHWC for images; required "
         "if "
         "the shape is ambiguous."},
        {"range", &range, one_of({"auto", "symmetric", "unit", "any"}),
         "Meaning of float values: pixels in [-1, 1], pixels in [0, 1], or latents. auto: latents "
         "if there are neither 1 nor 3 channels; else symmetric if the values fit and one is "
         "negative; otherwise it must be given."},
        {"dtype", &dtype, one_of({"auto", "u8", "bf16", "f32"}),
         "Data type of the stored clips; auto: u8 for uint8, bf16 for bf16, f32 for others. bf16 "
         "also reads '<u2' and '|V2' arrays of .npy as bits of bf16."},
        {"latent_space", &latent_space,
         "Statistics with which a model sees latents: wan2.1; a JSON file with mean and std, or of "
         "a VAE's config; or measure. Default: as the files say."},
        {"normalised", &normalised, one_of({"auto", "no", "yes"}),
         "Whether the latents are normalised already; auto: as the files say, otherwise no."},
        {"shape", &shape,
         "C,T,H,W of the clips to pack; others are skipped. Default: the most frequent shape."},
        {"names", &names, "UTF-8 text file with one class name per line, each of them once."},
        {"classes", &classes, at_least(0),
         "Number of classes; 0: the number of names, or the largest label + 1."},
        {"part", &part,
         "K/N: packs every Nth clip from the Kth on, counted from 0; see data merge."},
        {"strict", &strict, "A clip that cannot be used is an error, instead of being skipped."},
        {"overwrite", &overwrite,
         "Remove another data set, and files named as shards that eflow did not write, from "
         "--out."},
    };
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  void set_latent_space(io::ImportOptions& options) const {
    if (latent_space.empty()) return;
    if (latent_space == kMeasure) {
      options.measure_latents = true;
    } else if (const auto known = io::known_latent_space(latent_space)) {
      options.latent = known;
    } else if (std::filesystem::exists(latent_space)) {
      options.latent = io::read_latent_space(latent_space);
    } else {
      throw InvalidArgument(
          str("--latent-space: ", latent_space, " is neither wan2.1, nor measure, nor a file"));
    }
  }

  void set_part(io::ImportOptions& options) const {
    if (part.empty()) return;
    const char* const end = part.data() + part.size();
    const auto [slash, first] = std::from_chars(part.data(), end, options.part);
    const bool split = first == std::errc() && slash != end && *slash == '/';
    const auto [last, second] =
        split ? std::from_chars(slash + 1, end, options.parts) : std::from_chars_result{};
    if (!split || second != std::errc() || last != end || options.parts < 1 || options.part < 0 ||
        options.part >= options.parts)
      throw InvalidArgument(
          str("--part: expected K/N with K from 0 to N - 1, such as 0/4; found ", part));
  }

  [[nodiscard]] io::ImportOptions import_options(std::stop_source* stop) const {
    io::ImportOptions options;
    options.pack.layout = layout;
    if (range != "auto")
      options.pack.float_range = enum_from_name<io::FloatRange>("range", range, kRangeNames);
    options.pack.dtype = dtype_from_name(dtype);
    options.pack.class_count = classes;
    if (!names.empty()) options.pack.class_names = io::read_class_names(names);
    if (overwrite) options.pack.foreign = io::ForeignFiles::kOverwrite;
    options.pack.fps = items.fps;
    options.pack.progress = TwoPasses(stop);
    options.pack.stop = stop->get_token();
    options.text = text;
    options.normalised = enum_from_name<io::Normalised>("normalised", normalised, kNormalisedNames);
    options.strict = strict;
    set_latent_space(options);
    set_part(options);
    if (!shape.empty()) {
      Shape wanted;
      for (const std::int64_t size : parse_sizes("shape", shape, ',', 4)) wanted.push_back(size);
      options.shape = wanted;
    }
    return options;
  }
};

/// Faults of the clips become data errors; an ambiguity, which only the command line can resolve,
/// stays a usage error.
io::ImportReport import_clips(const ImportFlags& flags, const std::vector<std::string>& inputs) {
  std::stop_source stop;
  const io::ImportOptions options = flags.import_options(&stop);
  const io::OpenOptions reading = flags.items.open_options(flags.dtype == "bf16");
  try {
    const auto source = io::open_source(inputs, reading);
    return io::import_items(*source, flags.out, options);
  } catch (const io::AmbiguousArray&) {
    throw;
  } catch (const InvalidArgument& error) {
    throw trainer::DataError(error.what());
  }
}

void print_skipped(const io::ImportReport& report) {
  if (report.skipped_count == 0) return;
  std::fprintf(stderr, "skipped %lld:\n", static_cast<long long>(report.skipped_count));
  for (std::size_t i = 0; i < report.skipped.size() && i < kSkippedShown; ++i) {
    const auto& [source, reason] = report.skipped[i];
    std::fprintf(stderr, "  %s: %s\n", source.c_str(), reason.c_str());
  }
  const auto shown = static_cast<std::int64_t>(std::min(report.skipped.size(), kSkippedShown));
  if (report.skipped_count > shown)
    std::fprintf(stderr, "  and %lld more\n", static_cast<long long>(report.skipped_count - shown));
}

}  // namespace

int data_import(const Arguments& arguments) {
  ImportFlags flags;
  if (wants_help(arguments)) {
    return print_help(
        {"eflow data import IN... --out DIR [...]",
         "Packs what IN holds: folders or files of .npy, .npz and .safetensors (one clip each; one "
         ".npy named itself: many), WebDataset .tar, .zip, HDF5, videos. Clips that do not fit are "
         "skipped, and listed with the reason. docs/data.md has a recipe for each."},
        flags.options());
  }
  std::vector<std::string> inputs;
  parse(arguments, flags.options(), {"out"}, &inputs, kMostInputs);
  if (inputs.empty()) throw InvalidArgument("eflow data import: expected files or folders");
  install_stop_signals();
  const io::ImportReport report = import_clips(flags, inputs);
  print_skipped(report);
  for (const std::string& note : report.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  return print_report(report.pack, flags.out);
}

}  // namespace eflow::program
