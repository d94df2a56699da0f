// The held-out split: stratified by class, independent of the clips' order, and never a class's
// last clip.
#define BOOST_TEST_MODULE split
#include "eflow/trainer/data/split.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <random>
#include <set>

using namespace eflow::trainer;

namespace {

std::vector<std::int32_t> in_class_order(std::int64_t classes, std::int64_t each) {
  std::vector<std::int32_t> labels;
  for (std::int64_t c = 0; c < classes; ++c)
    labels.insert(labels.end(), static_cast<std::size_t>(each), static_cast<std::int32_t>(c));
  return labels;
}

std::vector<std::int64_t> counts(const std::vector<std::int64_t>& clips,
                                 const std::vector<std::int32_t>& labels, std::int64_t classes) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(classes));
  for (const auto i : clips) ++out[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])];
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_class_gives_its_share) {
  for (auto labels : {in_class_order(20, 5), in_class_order(3, 40), in_class_order(7, 13)}) {
    const std::int64_t classes = labels.back() + 1;
    for (int order = 0; order < 3; ++order) {
      for (const double share : {0.01, 0.05, 0.2, 0.5}) {
        const Split split = stratified_split(labels, classes, share);
        const auto count = static_cast<double>(labels.size());
        BOOST_TEST(split.held_out.size() == std::ceil(share * count));
        std::set<std::int64_t> all(split.training.begin(), split.training.end());
        all.insert(split.held_out.begin(), split.held_out.end());
        BOOST_TEST(all.size() == labels.size());
        BOOST_TEST(split.training.size() + split.held_out.size() == labels.size());
        const auto withheld = counts(split.held_out, labels, classes);
        const auto total = static_cast<double>(std::count(labels.begin(), labels.end(), 0));
        for (const std::int64_t n : withheld)
          BOOST_TEST(std::abs(static_cast<double>(n) - share * total) < 1);
      }
      std::shuffle(labels.begin(), labels.end(), std::mt19937(order));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_class_keeps_its_last_clip) {
  std::vector<std::int32_t> labels = in_class_order(6, 1);
  labels.insert(labels.end(), 4, 0);  // class 0 has five clips, the others one
  const Split split = stratified_split(labels, 6, 0.5);
  BOOST_TEST(split.held_out.size() == 4u);
  for (const std::int64_t n : counts(split.training, labels, 6)) BOOST_TEST(n == 1);
  BOOST_TEST(stratified_split(in_class_order(9, 1), 9, 0.3).held_out.empty());
}

BOOST_AUTO_TEST_CASE(unlabelled_clips_are_spread) {
  const std::vector<std::int32_t> labels(400);
  const Split split = stratified_split(labels, 0, 0.1);
  BOOST_TEST(split.held_out.size() == 40u);
  const auto early = std::count_if(split.held_out.begin(), split.held_out.end(),
                                   [](std::int64_t i) { return i < 200; });
  BOOST_TEST(early > 8);
  BOOST_TEST(early < 32);
}

BOOST_AUTO_TEST_CASE(missing_classes_are_listed) {
  const std::vector<std::int32_t> labels{0, 2, 2};
  BOOST_TEST(missing_classes(labels, 3, "training") == "1 of 3 classes has no training clips: 1");
  BOOST_TEST(missing_classes(labels, 5, "held-out") ==
             "3 of 5 classes have no held-out clips: 1, 3, 4");
  BOOST_TEST(missing_classes(labels, 100, "training").ends_with(", 11, ..."));
  BOOST_TEST(missing_classes(in_class_order(3, 1), 3, "training").empty());
  BOOST_TEST(missing_classes(labels, 0, "training").empty());
}
