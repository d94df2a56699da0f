// eflow import and eflow export: runs from public weights, and weights for diffusers from runs.

#include <cstdio>

#include "eflow/core/base/error.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/program/arguments.hpp"
#include "eflow/trainer/program/weights/new_folder.hpp"
#include "eflow/trainer/run/checkpoint.hpp"
#include "eflow/trainer/run/generator.hpp"
#include "eflow/trainer/run/run_directory.hpp"
#include "eflow/trainer/weights/export_weights.hpp"
#include "eflow/trainer/weights/import_weights.hpp"

namespace eflow::program {
namespace {

using trainer::between;
using trainer::named;
using trainer::Option;

void print_notes(const std::vector<std::string>& notes) {
  for (const std::string& note : notes) std::printf("note: %s\n", note.c_str());
}

/// Writes a run that samples, and that train.init_from takes.
void write_run(const trainer::ImportedModel& model, const std::filesystem::path& out) {
  const trainer::RunDirectory run(out);
  trainer::make_directories(run.checkpoints());
  write_file_atomically(run.config(), trainer::to_ini(model.config));
  write_file_atomically(run.data_info(), trainer::to_json(model.data));
  io::CheckpointStore store(run.checkpoints());
  trainer::save_weights(&store, model.weights, model.config, model.data);
}

}  // namespace

int import_weights(const Arguments& arguments) {
  trainer::ImportRequest request;
  std::string weights, out;
  const std::vector<Option> options = {
      {"from", named(&request.from, trainer::kWeightsOfNames),
       "The weights' origin: a Wan 2.1 text-to-video transformer, or AnyFlow's."},
      {"weights", &weights,
       "A .safetensors file, a folder of diffusers (its transformer/ or the pipeline), or of Wan's "
       "own files."},
      {"out", &out, "Folder of the run to make."},
      {"frames", &request.frames, between(1, 4096), "latent frames",
       "Length of the clips to generate."},
      {"height", &request.height, between(1, 4096), "latent rows", "Height of the clips."},
      {"width", &request.width, between(1, 4096), "latent columns", "Width of the clips."},
      {"heads", &request.heads, between(0, 256),
       "Attention heads, if no config.json says how many; 0: heads of width 128."},
  };
  if (wants_help(arguments)) {
    return print_help(
        {"eflow import --from wan2.1|anyflow --weights FILE_OR_FOLDER --out RUN [...]",
         "Makes a run of public weights: eflow sample generates with it, train.init_from trains "
         "it."},
        options);
  }
  parse(arguments, options, {"from", "weights", "out"});
  NewFolder folder(out);
  request.weights = weights;
  const trainer::ImportedModel model = trainer::import_weights(request);
  write_run(model, folder.path());
  folder.publish();
  const auto network = trainer::dit_config(model.config, model.data.clips);
  print_notes(model.notes);
  std::printf("imported %lld parameters, %lld blocks of width %lld, to %s\n",
              static_cast<long long>(nn::parameter_count(network)),
              static_cast<long long>(network.blocks()), static_cast<long long>(network.dim),
              out.c_str());
  std::printf("train it with: eflow train --config %s/config.ini --init-from %s --out NEW_RUN\n",
              out.c_str(), out.c_str());
  return 0;
}

int export_weights(const Arguments& arguments) {
  std::string run, out, label;
  double guidance = 0;
  const std::vector<Option> options = {
      {"run", &run, "Folder of a run (its newest checkpoint is used) or of a checkpoint."},
      {"out", &out, "Folder to make, with transformer/ and scheduler/."},
      {"guidance", &guidance, between(0, 20),
       "Guidance scale to fix, for models with guidance.embed; 0: as for the run's previews."},
      {"label", &label, "Class name or number to fix; default: none."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow export --run RUN --out FOLDER [...]",
                       "Writes a run's averaged weights as a transformer that diffusers loads."},
                      options);
  }
  const auto given = parse(arguments, options, {"run", "out"});
  const auto generator = trainer::Generator::load(run);
  const trainer::CheckpointInfo& info = generator.info();
  if (info.data.clips.classes == 0)
    refuse_given(given, {"label"}, "has no effect: this run's model has no classes");
  if (!info.config.guidance.embed) {
    refuse_given(given, {"guidance"},
                 "has no effect: this run's model does not take the guidance scale");
  }
  NewFolder folder(out);
  trainer::ExportOptions fixed;
  fixed.guidance = guidance > 0 ? guidance : info.config.sample.guidance;
  fixed.shift = info.config.sample.shift;
  if (!label.empty()) fixed.label = trainer::label_of(info.data, label);
  const auto notes = trainer::export_weights(generator.model().state(), generator.model().config(),
                                             fixed, folder.path());
  folder.publish();
  print_notes(notes);
  std::printf("wrote %s/transformer and %s/scheduler\n", out.c_str(), out.c_str());
  return 0;
}

}  // namespace eflow::program
