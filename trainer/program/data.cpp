// eflow data synth | pack | info | verify

#include <cstdio>
#include <filesystem>
#include <sstream>
#include <thread>

#include "arguments.hpp"
#include "eflow/base/atomic_file.hpp"
#include "eflow/io/dataset.hpp"
#include "eflow/io/npy.hpp"
#include "eflow/io/pack.hpp"
#include "eflow/io/synth.hpp"
#include "eflow/trainer/data_sets.hpp"
#include "eflow/trainer/exit_code.hpp"
#include "eflow/trainer/progress.hpp"
#include "signals.hpp"

namespace eflow::program {
namespace {

using trainer::at_least;
using trainer::between;
using trainer::one_of;
using trainer::Option;

/// A bar over clips; polls the stop signal into `stop` where there is one.
class ClipProgress {
 public:
  explicit ClipProgress(const char* what, std::stop_source* stop = nullptr)
      : what_(what), stop_(stop) {}
  void operator()(std::int64_t done, std::int64_t total) {
    if (!bar_)
      bar_ = std::make_shared<trainer::Progress>(stderr, what_, total, 0,
                                                 std::max<std::int64_t>(1, total / 10));
    bar_->update(done, "clips");
    if (stop_ && stop_requested()) stop_->request_stop();
  }

 private:
  const char* what_;
  std::stop_source* stop_;
  std::shared_ptr<trainer::Progress> bar_;
};

int report(const io::PackReport& report, const std::string& out) {
  if (!report.finished) {
    std::printf("stopped; run the same command again to go on\n");
    return trainer::kExitSaved;
  }
  if (report.continued_from > 0)
    std::printf("continued after clip %lld\n", static_cast<long long>(report.continued_from));
  const std::string layout = report.layout.empty() ? "" : ", read as " + report.layout;
  std::printf("%s: %s\n", out.c_str(),
              str(report.already_there ? "already there, " : "", report.clips, " clips ",
                  report.spec.shape, " ", report.spec.dtype, ", ", report.spec.class_count,
                  " classes, ", report.stored_bytes / 1024, " KiB", layout)
                  .c_str());
  return 0;
}

std::vector<std::string> lines_of(const std::string& file) {
  std::vector<std::string> lines;
  if (file.empty()) return lines;
  std::istringstream text(read_file(file, 1 << 20));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

void require_file(const std::string& key, const std::string& path) {
  if (path.empty() || std::filesystem::exists(path)) return;
  throw trainer::DataError(str("--", key, ": ", path, ": no such file"));
}

struct PackFlags {
  std::string videos, labels, out, names, layout, range = "symmetric", dtype = "auto";
  std::int64_t classes = 0;
  double fps = 8;

  std::vector<Option> options() {
    return {
        {"videos", &videos, {}, "", "Array of clips, .npy, uint8 or float, 4 or 5 axes."},
        {"labels",
         &labels,
         {},
         "",
         "Array of one integer a clip, .npy; without it clips have no labels."},
        {"out", &out, {}, "", "Folder of the data set."},
        {"names", &names, {}, "", "Text file with one class name a line."},
        {"layout",
         &layout,
         {},
         "",
         "Order of the axes, such as NTHWC or NCTHW; needed where the shape leaves it open."},
        {"range", &range, one_of({"symmetric", "unit", "any"}), "",
         "What floats mean: pixels in [-1, 1], in [0, 1], or latents."},
        {"dtype", &dtype, one_of({"auto", "u8", "bf16", "f32"}), "",
         "How clips are stored; auto: u8 for uint8, f32 for floats."},
        {"classes", &classes, at_least(0), "",
         "Number of classes; 0: from the names or the largest label."},
        {"fps", &fps, between(0.1, 1000), "frames/s", "Speed of the clips, for pictures."},
    };
  }

  [[nodiscard]] io::PackOptions pack_options(std::stop_source* stop) const {
    io::PackOptions options;
    options.layout = layout;
    options.float_range = range == "unit"  ? io::FloatRange::kUnit
                          : range == "any" ? io::FloatRange::kAny
                                           : io::FloatRange::kSymmetric;
    options.dtype = dtype_from_name(dtype);
    options.class_count = classes;
    options.class_names = lines_of(names);
    options.fps = fps;
    options.progress = ClipProgress("packing", stop);
    options.stop = stop->get_token();
    return options;
  }
};

/// What is wrong with the arrays is a data error; what only the command line can settle (the layout) is not.
io::PackReport pack(const PackFlags& flags) {
  std::stop_source stop;
  const io::PackOptions options = flags.pack_options(&stop);
  if (flags.layout.empty()) (void)io::infer_layout(io::NpyFile(flags.videos).shape(), flags.videos);
  try {
    return io::pack_npy(flags.videos, flags.labels, flags.out, options);
  } catch (const InvalidArgument& error) {
    throw trainer::DataError(error.what());
  }
}

}  // namespace

int data_pack(const Arguments& arguments) {
  PackFlags flags;
  if (wants_help(arguments)) {
    return print_help({"eflow data pack --videos V.npy [--labels L.npy] --out DIR [...]",
                       "Packs arrays into a checked, compressed data set. Run again after an "
                       "interruption: it continues."},
                      flags.options());
  }
  parse(arguments, flags.options(), {"videos", "out"});
  require_file("videos", flags.videos);
  require_file("labels", flags.labels);
  require_file("names", flags.names);
  install_stop_signals();
  return report(pack(flags), flags.out);
}

int data_synth(const Arguments& arguments) {
  std::string out, split = "train";
  std::int64_t size = 32, frames = 8, seed = 0;
  const std::vector<Option> options = {
      {"out", &out, {}, "", "Folder of the data set."},
      {"size", &size, between(8, 512), "pixels", "Height and width of the clips."},
      {"frames", &frames, between(2, 256), "frames", "Length of the clips."},
      {"split", &split, one_of({"train", "held-out", "all"}), "",
       "Which colour combinations: most, every eighth, or all."},
      {"seed", &seed, at_least(0), "", "Decides which combinations are held out, and their order."},
  };
  if (wants_help(arguments)) {
    return print_help(
        {"eflow data synth --out DIR [...]",
         "Makes a labelled set of looping clips: 3 shapes x 3 motions in many colours."},
        options);
  }
  parse(arguments, options, {"out"});
  install_stop_signals();
  const io::SynthShapes shapes({static_cast<int>(frames), static_cast<int>(size),
                                static_cast<std::uint64_t>(seed),
                                split == "train"      ? io::SynthSplit::kTrain
                                : split == "held-out" ? io::SynthSplit::kHeldOut
                                                      : io::SynthSplit::kAll});
  std::stop_source stop;
  io::PackOptions packing;
  packing.progress = ClipProgress("drawing", &stop);
  packing.stop = stop.get_token();
  return report(io::pack_source(shapes, out,
                                str("synth/1 ", size, " ", frames, " ", split, " ", seed), packing),
                out);
}

int data_info(const Arguments& arguments) {
  const std::vector<Option> options;
  if (wants_help(arguments))
    return print_help({"eflow data info DIR", "Says what is in a data set."}, options);
  Arguments folder;
  parse(arguments, options, {}, &folder, 1);
  if (folder.empty()) throw InvalidArgument("eflow data info DIR: the folder is missing");
  const auto set = trainer::open_dataset(folder[0]);
  const io::DatasetSpec& spec = set->manifest().spec;
  std::printf("%s",
              str("clips       ", set->size(), "\nshape       ", spec.shape,
                  " (channels, frames, height, width) ", spec.dtype, "\nvalues      stored * ",
                  spec.mapping.scale, " + ", spec.mapping.offset, "\nframes/s    ", spec.fps,
                  "\nshards      ", set->manifest().shards.size(), ", ", set->stored_bytes() / 1024,
                  " KiB\nclasses     ", spec.class_count, "\n")
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

int data_verify(const Arguments& arguments) {
  const std::vector<Option> options;
  if (wants_help(arguments))
    return print_help({"eflow data verify DIR", "Reads and checks every byte of a data set."},
                      options);
  Arguments folder;
  parse(arguments, options, {}, &folder, 1);
  if (folder.empty()) throw InvalidArgument("eflow data verify DIR: the folder is missing");
  if (!std::filesystem::exists(folder[0]))
    throw trainer::DataError(str(folder[0], ": no such folder"));
  const auto faults = io::verify_dataset(folder[0], ClipProgress("checking"));
  for (const auto& fault : faults) std::fprintf(stderr, "%s\n", fault.text.c_str());
  if (!faults.empty())
    throw trainer::DataError(str(folder[0], ": ", faults.size(),
                                 faults.size() == 1 ? " fault" : " faults", ", named above"));
  std::printf("%s: every byte is as it was written\n", folder[0].c_str());
  return 0;
}

}  // namespace eflow::program
