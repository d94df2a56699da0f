// What a model takes must be what the data have.
#define BOOST_TEST_MODULE model_config
#include "eflow/trainer/config/model_config.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

constexpr ClipFormat kPlain{16, 21, 60, 104, 0, 0}, kLabels{16, 21, 60, 104, 9, 0},
    kText{16, 21, 60, 104, 0, 384}, kBoth{16, 21, 60, 104, 9, 384};

std::string complaint(const std::string& model, const ClipFormat& clips) {
  try {
    check_condition(parse_config("[model]\n" + model, "my.ini"), clips);
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "";
}

}  // namespace

BOOST_AUTO_TEST_CASE(both_sides_are_named) {
  BOOST_TEST(complaint("preset = 1.5B\n", kPlain) ==
             "model.condition: model.preset = 1.5B takes text, but the data have no condition (0 "
             "classes, text of width 0); use data that have text, or set model.condition = none to "
             "train a model that takes no condition");
  BOOST_TEST(complaint("condition = label\n", kText) ==
             "model.condition: model.condition = label takes labels, but the data have text (0 "
             "classes, text of width 384); use data that have labels, or set model.condition = "
             "text to train a model that takes text");
}

BOOST_AUTO_TEST_CASE(every_combination_is_judged) {
  const std::pair<const char*, const ClipFormat*> fit[] = {
      {"preset = 1.5B\n", &kText},
      {"preset = XL\n", &kLabels},
      {"condition = none\n", &kPlain},
      {"condition = label\n", &kLabels},
      {"condition = text\n", &kText},
      {"condition = label+text\n", &kBoth},
      {"preset = 1.5B\ncondition = none\n", &kPlain},
      {"preset = XL\ncondition = label+text\n", &kBoth}};
  for (const auto& [model, fits] : fit) {
    for (const ClipFormat* clips : {&kPlain, &kLabels, &kText, &kBoth})
      BOOST_TEST((complaint(model, *clips) == "") == (clips == fits), model);
  }
  for (const ClipFormat* clips : {&kPlain, &kLabels, &kText, &kBoth})
    BOOST_TEST(complaint("dim = 64\n", *clips) == "");  // the data decide
}
