// Options: accepted values, error messages, and that a dump parses back to the same values.
#define BOOST_TEST_MODULE options
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/trainer/config/config.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/options/option_parser.hpp"
#include "eflow/trainer/options/option_text.hpp"
#include "eflow/trainer/run/training_run.hpp"
#include "eflow/trainer/setup/objective_config.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// The error message for these arguments, parsed after the text of a file; "" if there is no error.
std::string complaint(const std::vector<std::string>& arguments, const std::string& file = "") {
  Config config;
  OptionParser parser(options_of(config));
  if (!file.empty()) parser.parse_text(file, "my.ini");
  parser.parse_arguments(arguments);
  try {
    parser.finish();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(command_line_overrides_the_file) {
  Config config;
  OptionParser parser(options_of(config));
  parser.parse_text("[train]\nbatch = 8 # small\nseed=3\n\n[optim]\nlr = 1e-3\n", "my.ini");
  parser.parse_arguments({"--train.batch=16", "--optim.weight-decay", "0.5"});
  parser.finish();
  BOOST_TEST(config.train.batch == 16);
  BOOST_TEST(config.train.seed == 3u);
  BOOST_TEST(config.optim.lr.peak == 1e-3);
  BOOST_TEST(config.optim.adamw.weight_decay == 0.5);
  BOOST_TEST(parser.given("train.seed"));
  BOOST_TEST(!parser.given("train.iterations"));
}

BOOST_AUTO_TEST_CASE(dashes_and_underscores_are_equal) {
  BOOST_TEST(complaint({"--optim.weight-decay=0.1", "--model.mlp_ratio=2"}) == "");
  BOOST_TEST(complaint({}, "[model]\nmlp-ratio = 2\n") == "");
}

BOOST_AUTO_TEST_CASE(a_file_sets_a_key_once) {
  BOOST_TEST(complaint({"--train.batch=1", "--train.batch=2"}) == "");
  const std::string twice =
      complaint({}, "[train]\nbatch = 8\n[optim]\nlr = 1\n[train]\nbatch = 9\n");
  BOOST_TEST(contains(twice, "my.ini:6: 'train.batch' is already set in line 2"), twice);
  BOOST_TEST(contains(complaint({}, "[model]\nmlp-ratio = 2\nmlp_ratio = 2\n"), "line 2"));
}

BOOST_AUTO_TEST_CASE(a_file_may_begin_with_a_byte_order_mark) {
  BOOST_TEST(complaint({}, "\xef\xbb\xbf[train]\r\nbatch = 8\r\n") == "");
  BOOST_TEST(contains(complaint({}, "\xef\xbb\xbf[train]\nbach = 8\n"), "my.ini:2:"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_of_text_is_named) {
  const test::TempDir folder;
  const auto refused = [](const std::filesystem::path& path) {
    OptionParser parser({});
    try {
      parser.parse_file(path);
      return std::string();
    } catch (const InvalidArgument& error) {
      return std::string(error.what());
    }
  };
  BOOST_TEST(contains(refused(folder / "none.ini"), "none.ini: no such file"));
  BOOST_TEST(contains(refused(folder.path()), "expected a file"), refused(folder.path()));
  std::ofstream(folder / "large.ini") << std::string((1 << 20) + 1, '#');
  BOOST_TEST(contains(refused(folder / "large.ini"), "at most 1048576 bytes; found 1048577"));
}

BOOST_AUTO_TEST_CASE(unknown_key_names_the_nearest_and_its_line) {
  const std::string text = complaint({}, "[train]\nbatch = 4\n\niteratoins = 5\n");
  BOOST_TEST(
      contains(text,
               "my.ini:4: unknown option 'train.iteratoins'; did you mean 'train.iterations'?"),
      text);
  BOOST_TEST(contains(complaint({"--train.lr=1"}), "did you mean 'optim.lr'"),
             complaint({"--train.lr=1"}));
  BOOST_TEST(!contains(complaint({"--zzzzzzzz.qqqq=1"}), "did you mean"));
}

BOOST_AUTO_TEST_CASE(all_mistakes_at_once) {
  const std::string text = complaint({"--train.batch=zero", "--optim.beta1=2"},
                                     "[train]\nseed = -1\nnonsense\nfoo = 1\n");
  BOOST_TEST(
      contains(text, "my.ini:2: train.seed: expected an integer from 0 to 1e+15, found '-1'"),
      text);
  BOOST_TEST(contains(text, "my.ini:3: expected '[section]' or 'key = value', found 'nonsense'"),
             text);
  BOOST_TEST(contains(text, "my.ini:4: unknown option 'train.foo'"), text);
  BOOST_TEST(contains(text, "train.batch: expected an integer from 1 to 65536, found 'zero'"),
             text);
  BOOST_TEST(contains(text, "optim.beta1: expected a number from 0 to 0.9999, found '2'"), text);
}

BOOST_AUTO_TEST_CASE(wrong_values_are_refused) {
  for (const char* bad : {"--train.batch=1.5", "--train.batch=4x", "--train.batch=",
                          "--optim.lr=nan", "--optim.lr=inf", "--model.attention=sdpa",
                          "--ema.warmup=maybe", "stray", "--data.dir=a#b", "-x"}) {
    BOOST_TEST(complaint({bad}) != "", bad);
  }
}

BOOST_AUTO_TEST_CASE(rules_between_values) {
  Config config;
  BOOST_TEST(problems_of(config).empty());
  config.model.heads = 5;
  config.train.accumulation = 7;
  config.optim.lr.warmup = config.train.iterations + 1;
  BOOST_TEST(problems_of(config).size() == 3u);
  Config odd;
  odd.model.heads = 4;
  odd.model.dim = 4 * 15;
  BOOST_REQUIRE(problems_of(odd).size() == 1u);
  BOOST_TEST(contains(problems_of(odd)[0], "model.heads"), problems_of(odd)[0]);
  BOOST_TEST(contains(problems_of(odd)[0], "60 / 4 = 15"), problems_of(odd)[0]);
}

/// A network without an embedding of s is a velocity; one without a fusion has no weak path.
BOOST_AUTO_TEST_CASE(losses_need_their_parts_of_the_network) {
  const auto problems = [](const std::string& text) {
    return problems_of(parse_config(text, "parts.ini"));
  };
  const std::string velocities = "[model]\ngap = none\n[objective]\nfm_share = 1\n";
  BOOST_TEST(problems(velocities).empty());
  BOOST_TEST(problems(velocities + "[mva]\nshare = 0.25\n").size() == 1u);
  BOOST_TEST(problems("[model]\ngap = none\n").size() == 1u);
  BOOST_TEST(problems("[model]\ngap = none\n[objective]\nfm_share = 1\nkind = anyflow\n").size() ==
             1u);
  BOOST_TEST(problems("[model]\ngap = s\n").empty());
  BOOST_TEST(problems("[model]\nlong_residual = off\n").empty());
  BOOST_TEST(problems("[model]\nlong_residual = off\n[guidance]\nkind = weak\n").size() == 1u);
  const auto drops = problems("[model]\nlong_residual = off\n[drop]\ntokens = groups-3d\n");
  BOOST_REQUIRE(drops.size() == 1u);
  BOOST_TEST(contains(drops[0], "model.long_residual: expected true with drop.tokens = groups-3d"));
}

BOOST_AUTO_TEST_CASE(small_jumps_need_f32) {
  Config config;
  config.objective.ratio.end = 0.002;
  BOOST_TEST(problems_of(config).empty());
  config.train.precision = DType::kBF16;
  BOOST_REQUIRE(problems_of(config).size() == 1u);
  BOOST_TEST(contains(problems_of(config)[0], "found 0.002; raise it or use train.precision"));
  config.objective.ratio.end = 0.005;  // the rounding noise is a tenth of the signal
  BOOST_TEST(problems_of(config).empty());
  config.objective.ratio.end = 0.002;
  config.objective.fm_share = 1;  // no consistency
  BOOST_TEST(problems_of(config).empty());
  BOOST_TEST(contains(complaint({"--train.precision=f16"}), "one of f32, bf16"));
}

/// SoFlow's own settings: a time law for each loss, and r down to 0.002.
BOOST_AUTO_TEST_CASE(settings_of_soflow_can_be_reached) {
  const Config config = parse_config(
      "[objective]\nt_mean = -0.2\nt_std = 1\nt_shift = 1\nscm_t_mean = 0.2\nscm_t_std = 0.8\n"
      "s_mean = -1\ns_std = 0.8\nr_init = 0.1\nr_end = 0.002\n",
      "soflow.ini");
  BOOST_TEST(problems_of(config).empty());
  const ClipFormat clips{3, 8, 32, 32, 9, 0};
  const auto options = objective_options(config, dit_config(config, clips));
  const auto same = [](const soflow::LogitNormal& a, const soflow::LogitNormal& b) {
    return a.mean == b.mean && a.deviation == b.deviation && a.shift == b.shift;
  };
  const soflow::TimeLaws soflow = soflow::TimeLaws::soflow();
  BOOST_TEST(same(options.times.fm_t, soflow.fm_t));
  BOOST_TEST(same(options.times.scm_t, soflow.scm_t));
  BOOST_TEST(same(options.times.scm_s, soflow.scm_s));
  BOOST_TEST(options.ratio.at(config.train.iterations) == 0.002,
             boost::test_tools::tolerance(1e-12));
  // Without scm_t_std, both losses share the law of t.
  const auto shared = objective_options(parse_config("[objective]\nt_mean = 0.5\n", "one.ini"),
                                        dit_config(config, clips));
  BOOST_TEST(same(shared.times.fm_t, shared.times.scm_t));
  BOOST_TEST(shared.times.scm_t.mean == 0.5);
}

BOOST_AUTO_TEST_CASE(dump_reads_back_to_the_same_bits) {
  Config config;
  config.optim.lr.peak = 1.0 / 3;
  config.objective.weight.eps = 1e-7;
  config.train.seed = 123456789012345;
  config.data.dir = "/some where/set";
  config.ema.warmup = false;
  const Config read = parse_config(to_ini(config), "dump");
  BOOST_TEST(read.optim.lr.peak == config.optim.lr.peak);
  BOOST_TEST(read.data.dir == config.data.dir);
  Config a = config, b = read;
  BOOST_TEST(differences(options_of(a), options_of(b)).empty());
  BOOST_TEST(to_ini(read) == to_ini(config));
}

BOOST_AUTO_TEST_CASE(names_set_enums) {
  Config config;
  OptionParser parser(options_of(config));
  parser.parse_arguments({"--model.attention=vsa", "--exact.kind=guided", "--guidance.kind=weak"});
  parser.finish();
  BOOST_TEST((config.model.attention == nn::AttentionKind::kVsa));
  BOOST_TEST(config.data.exact.enabled);
  BOOST_TEST((config.data.exact.flow.kind == soflow::ExactKind::kGuided));
  BOOST_TEST((config.guidance.kind == soflow::Unconditional::kWeakPath));
  const Config read = parse_config("[exact]\nkind = none\n", "text");
  BOOST_TEST(!read.data.exact.enabled);
  BOOST_TEST(complaint({"--exact.kind=some"}) ==
             "command line: exact.kind: expected one of none, gaussian, mixture, guided, found "
             "'some'");
}

BOOST_AUTO_TEST_CASE(presets_fill_what_was_not_given) {
  const Config parsed = parse_config("[model]\npreset = B\ndim = 192\nheads = 6\n", "text");
  BOOST_TEST(parsed.model.dim == 192);  // given, though equal to the default
  BOOST_TEST(parsed.model.heads == 6);
  BOOST_TEST(parsed.model.middle == 10);
  BOOST_TEST(resolved(parsed).model.dim == 192);

  const Config stored = stored_config("[model]\npreset = B\n", "dump");
  BOOST_TEST(resolved(stored).model.dim == Config().model.dim);
}

BOOST_AUTO_TEST_CASE(a_config_made_in_code_gets_its_preset_and_its_rules) {
  Config config;
  config.model.preset = "B";
  config.model.heads = 6;
  const Config complete = resolved(config);
  BOOST_TEST(complete.model.dim == 768);
  BOOST_TEST(complete.model.heads == 6);
  BOOST_TEST(complete.model.patch.t == 1);
  BOOST_TEST(dit_config(config, {16, 8, 32, 32}).dim == 768);

  config.model.heads = 5;
  config.train.accumulation = 7;
  try {
    run_training(config, "never-made", "auto", {});
    BOOST_ERROR("run_training() accepted a broken configuration");
  } catch (const InvalidArgument& error) {
    BOOST_TEST(contains(error.what(), "model.heads: expected a divisor of model.dim = 768"));
    BOOST_TEST(contains(error.what(), "train.accumulation: expected a divisor"));
  }
  BOOST_TEST(!std::filesystem::exists("never-made"));
}

BOOST_AUTO_TEST_CASE(table_cells_are_escaped) {
  Config config;
  BOOST_TEST(contains(markdown_table(options_of(config)), "(1 + \\|k\\|^2)^-decay"));
}

BOOST_AUTO_TEST_CASE(every_option_is_complete_and_its_default_allowed) {
  Config config;
  for (const Option& option : options_of(config)) {
    BOOST_TEST(option.help.size() > 10u, option.key);
    BOOST_TEST(option.help.back() == '.', option.key);
    const std::string before = describe_value(option);
    BOOST_TEST(set_option(option, before) == "", option.key);
    BOOST_TEST(describe_value(option) == before, option.key);
    BOOST_TEST(contains(describe_options(options_of(config)), "--" + option.key), option.key);
    BOOST_TEST(contains(markdown_table(options_of(config)), "`" + option.key + "`"), option.key);
  }
}
