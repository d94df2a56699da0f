// Settings without effect are found, with the reason.
#define BOOST_TEST_MODULE unused_options
#include "eflow/trainer/setup/unused_options.hpp"

#include <boost/test/unit_test.hpp>

using namespace eflow;
using namespace eflow::trainer;

namespace {

constexpr ClipFormat kLabelled{3, 4, 16, 16, 9, 0}, kPlain{3, 4, 16, 16, 0, 0};

std::string unused(const std::string& text, const ClipFormat& clips = kLabelled) {
  return describe_unused(parse_config(text, "my.ini"), clips);
}

}  // namespace

BOOST_AUTO_TEST_CASE(nothing_is_reported_without_a_reason) {
  BOOST_TEST(unused("") == "");
  BOOST_TEST(unused("", kPlain) == "");
  BOOST_TEST(unused("[model]\npreset = XL\n") == "");  // values of a preset are not the user's
  BOOST_TEST(unused("[objective]\nr_init = 0.2\nscm_t_std = 0.8\nscm_t_mean = 0.2\n") == "");
  BOOST_TEST(unused("[objective]\nlabel_drop = 0.2\nguidance = 3\nvelocity_mix = 0.5\n") == "");
}

BOOST_AUTO_TEST_CASE(each_setting_without_effect_has_its_reason) {
  BOOST_TEST(unused("[objective]\nr_init = 0.2\nfm_share = 1\n") ==
             "settings without effect in this run:\n"
             "  objective.r_init = 0.2 (objective.fm_share = 1)");
  const std::pair<const char*, const char*> all[] = {
      {"[objective]\nscm_t_mean = 1\n", "objective.scm_t_mean = 1 (objective.scm_t_std = 0)"},
      {"[objective]\nvelocity_mix = 0.5\n",
       "objective.velocity_mix = 0.5 (objective.guidance = 1)"},
      {"[objective]\nkind = anyflow\nfm_share = 0.5\n",
       "objective.fm_share = 0.5 (objective.kind = anyflow)"},
      {"[objective]\nkind = anyflow\ns_std = 0.5\n",
       "objective.s_std = 0.5 (objective.kind = anyflow)"},
      {"[guidance]\npath_drop = 0.3\n", "guidance.path_drop = 0.3 (guidance.kind = null)"},
      {"[guidance]\nkind = weak\n[objective]\nlabel_drop = 0.3\n",
       "objective.label_drop = 0.3 (guidance.kind = weak)"},
      {"[drop]\ndense_every = 10\n", "drop.dense_every = 10 (drop.tokens = none)"},
      {"[objective]\ngiven_frames = 2\n", "objective.given_frames = 2 (objective.given_share = 0)"},
      {"[mva]\nfrom = 0.8\n", "mva.from = 0.8 (mva.share = 0)"},
      {"[anyflow]\nrollouts = 4\n", "anyflow.rollouts = 4 (objective.kind = eflow)"},
      {"[sample]\nguidance = 3\n", "sample.guidance = 3 (guidance.embed = false)"},
      {"[sample]\nevery = 0\nsteps = 9\n", "sample.steps = 9 (sample.every = 0)"},
      {"[data]\neval = none\neval_share = 0.2\n", "data.eval_share = 0.2 (data.eval = none)"},
      {"[data]\ndir = .\nclip = 3x4x16x16\n", "data.clip = 3x4x16x16 (data.dir gives the clips)"},
      {"[exact]\nframes = 8\n", "exact.frames = 8 (exact.kind = none)"},
      {"[model]\nattention = softmax\nwindow_frames = 3\n",
       "model.window_frames = 3 (model.attention = softmax)"},
      {"[model]\nposition_table = false\nposition_scale = 0.5\n",
       "model.position_scale = 0.5 (model.position_table = false)"},
      {"[model]\nchunk_frames = 2\n", "model.chunk_frames = 2 (objective.kind = eflow)"},
      {"[optim]\nschedule = constant\nlr_end = 0.5\n",
       "optim.lr_end = 0.5 (optim.schedule = constant)"},
  };
  for (const auto& [text, line] : all)
    BOOST_TEST(unused(text).find(std::string("\n  ") + line) != std::string::npos,
               text << "\n"
                    << unused(text));
}

BOOST_AUTO_TEST_CASE(the_data_decide_too) {
  BOOST_TEST(unused("[objective]\nlabel_drop = 0.3\n") == "");
  BOOST_TEST(unused("[objective]\nlabel_drop = 0.3\n", kPlain) ==
             "settings without effect in this run:\n"
             "  objective.label_drop = 0.3 (the data have neither labels nor text)");
}
