// eflow data rgb: fits the colours of latents to pixels.

#include <cstdio>

#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/data_sets.hpp"
#include "eflow/trainer/eval/fit_latent_rgb.hpp"
#include "eflow/trainer/program/arguments.hpp"

namespace eflow::program {

int data_rgb(const Arguments& arguments) {
  std::string pixels;
  std::int64_t clips = 64;
  const std::vector<trainer::Option> options = {
      {"pixels", &pixels,
       "Data set of the pixels that were encoded: clip i of it is that of the latents."},
      {"clips", &clips, trainer::between(1, 1e6), "clips", "Clips to fit to."},
  };
  if (wants_help(arguments)) {
    return print_help({"eflow data rgb LATENTS --pixels DIR [...]",
                       "Fits a linear map from latents to colours and stores it in the data set of "
                       "latents; previews and samples of later runs then show colours."},
                      options);
  }
  std::vector<std::string> folder;
  parse(arguments, options, {"pixels"}, &folder, 1);
  if (folder.empty()) throw InvalidArgument("eflow data rgb: expected the folder of the latents");
  const auto latents = trainer::open_dataset(folder[0]), seen = trainer::open_dataset(pixels);
  try {
    const auto fit = trainer::fit_latent_rgb(*latents, *seen, clips);
    io::write_latent_rgb(folder[0], fit.rgb);
    std::printf("%s/%s: the map explains %.1f %% of the pixels' variance\n", folder[0].c_str(),
                io::kLatentRgbName, 100 * fit.explained);
  } catch (const InvalidArgument& error) {
    throw trainer::DataError(error.what());
  }
  return 0;
}

}  // namespace eflow::program
