// Configuration files: sections, keys, values, stages.
#include "eflow/tests/fuzz/fuzz.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/options/option_parser.hpp"

namespace eflow::fuzz {

std::vector<std::string> seeds() {
  return {"# comment\n[model]\ndim = 64\nattention = glga\n[train]\nseed = 3\n",
          "[optim]\nlr = 1e-3\n[stage1]\ntrain.iterations = 5\n[stage2]\ndrop.tokens = none\n"};
}

void run(std::string_view input) {
  trainer::Config config;
  trainer::OptionParser parser(trainer::options_of(config));
  parser.parse_text(std::string(input), "input");
  parser.finish();
}

}  // namespace eflow::fuzz
