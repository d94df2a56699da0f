#define BOOST_TEST_MODULE token_drop
#include "eflow/soflow/objective/token_drop.hpp"

#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "eflow/core/base/error.hpp"

namespace eflow::soflow {
namespace {

constexpr nn::Grid3 kGrid{8, 16, 16};
const RandomKey kKey{.seed = 3, .purpose = 24, .step = 5};
const TokenDrop kVideo{DropKind::kGroups3d, 0.75};

std::vector<std::int64_t> kept_of(const TokenDrop& drop, const nn::Grid3& grid, std::int64_t id,
                                  const RandomKey& key = kKey) {
  return draw_kept(drop, grid, key, {id}).to_vector<std::int64_t>();
}

/// Number of tokens kept in each box of dt x 2 x 2, in the frames from `first` on.
std::map<std::int64_t, int> counts(const std::vector<std::int64_t>& kept, const nn::Grid3& grid,
                                   std::int64_t dt, std::int64_t first = 0) {
  std::map<std::int64_t, int> boxes;
  for (const std::int64_t token : kept) {
    const std::int64_t t = token / (grid.h * grid.w), h = token / grid.w % grid.h,
                       w = token % grid.w;
    if (t >= first) ++boxes[((t - first) / dt * grid.h + h / 2) * grid.w + w / 2];
  }
  return boxes;
}

void require_all(const std::map<std::int64_t, int>& boxes, std::size_t size, int each) {
  BOOST_TEST(boxes.size() == size);
  for (const auto& [box, count] : boxes) BOOST_TEST(count == each);
}

BOOST_AUTO_TEST_CASE(every_box_of_eight_keeps_two) {
  const auto kept = kept_of(kVideo, kGrid, 7);
  BOOST_TEST(kept.size() == 512);
  BOOST_TEST(std::is_sorted(kept.begin(), kept.end()));
  BOOST_TEST(std::set(kept.begin(), kept.end()).size() == 512);
  require_all(counts(kept, kGrid, 2), 4 * 8 * 8, 2);
}

BOOST_AUTO_TEST_CASE(with_an_odd_number_of_frames_the_first_is_cut_alone) {
  const nn::Grid3 grid{21, 30, 52};
  const auto kept = kept_of(kVideo, grid, 0);
  BOOST_TEST(static_cast<std::int64_t>(kept.size()) == grid.count() / 4);
  require_all(counts(kept, grid, 2, 1), 10 * 15 * 26, 2);
  const auto first = std::count_if(kept.begin(), kept.end(), [](auto id) { return id < 30 * 52; });
  BOOST_TEST(first == 15 * 26);
  const nn::Grid3 image{1, 4, 6};
  require_all(counts(kept_of(kVideo, image, 0), image, 1), 6, 1);
}

BOOST_AUTO_TEST_CASE(flat_boxes_and_other_ratios) {
  require_all(counts(kept_of({DropKind::kGroups2d, 0.75}, kGrid, 0), kGrid, 1), 8 * 64, 1);
  require_all(counts(kept_of({DropKind::kGroups2d, 0.5}, kGrid, 0), kGrid, 1), 8 * 64, 2);
  require_all(counts(kept_of({DropKind::kGroups3d, 0.875}, kGrid, 0), kGrid, 2), 4 * 64, 1);
  BOOST_TEST(kept_of({DropKind::kGroups3d, 0}, {2, 2, 2}, 0) ==
                 (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}),
             boost::test_tools::per_element());
  const auto iid = kept_of({DropKind::kIid, 0.7}, {3, 5, 7}, 0);
  BOOST_TEST(iid.size() == 105 - 73);
  BOOST_TEST(std::is_sorted(iid.begin(), iid.end()));
  BOOST_TEST(!draw_kept({}, kGrid, kKey, {0}).defined());
}

/// Over many samples and boxes, each token is kept with the same frequency, 1/4.
BOOST_DATA_TEST_CASE(all_tokens_are_kept_equally_often,
                     boost::unit_test::data::make({"groups-3d", "groups-2d", "iid"}), name) {
  const DropKind kind = drop_kind(name);
  const nn::Grid3 grid{2, 4, 4};
  std::vector<int> hits(32);
  const int samples = 4000;
  for (int id = 0; id < samples; ++id) {
    for (const std::int64_t token : kept_of({kind, 0.75}, grid, id)) {
      ++hits[static_cast<std::size_t>(token)];
    }
  }
  for (const int hit : hits) BOOST_TEST(std::abs(hit / double{samples} - 0.25) < 0.035);
}

BOOST_AUTO_TEST_CASE(a_mask_depends_only_on_its_sample_and_step) {
  const auto together = draw_kept(kVideo, kGrid, kKey, {4, 9}).to_vector<std::int64_t>();
  const auto alone = kept_of(kVideo, kGrid, 9);
  BOOST_TEST(std::equal(alone.begin(), alone.end(), together.begin() + 512));
  BOOST_TEST((alone != kept_of(kVideo, kGrid, 4)));
  RandomKey next = kKey;
  next.step += 1;
  BOOST_TEST((alone != kept_of(kVideo, kGrid, 9, next)));
}

/// An interval of L raster positions, L a multiple of two frames, holds L / 4 +- HW / 2 kept
/// tokens. Buffer sizes rely on the upper bound.
BOOST_AUTO_TEST_CASE(intervals_hold_bounded_numbers_of_kept_tokens) {
  const std::int64_t length = 1024, frame = 256;
  for (std::int64_t id = 0; id < 20; ++id) {
    const auto kept = kept_of(kVideo, kGrid, id);
    for (std::int64_t begin = 0; begin + length <= kGrid.count(); begin += 61) {
      const auto low = std::lower_bound(kept.begin(), kept.end(), begin);
      const auto high = std::lower_bound(kept.begin(), kept.end(), begin + length);
      const std::int64_t inside = high - low;
      BOOST_TEST(inside <= length / 4 + frame / 2);
      BOOST_TEST(inside >= length / 4 - frame / 2);
    }
  }
}

BOOST_AUTO_TEST_CASE(drops_that_do_not_fit_are_refused_with_a_reason) {
  const auto refusal = [](const TokenDrop& drop, const nn::Grid3& grid) -> std::string {
    try {
      return str("accepted, ", kept_count(drop, grid));
    } catch (const InvalidArgument& error) {
      return error.what();
    }
  };
  const auto says = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  BOOST_TEST(says(refusal(kVideo, {4, 15, 26}), "4x15x26"));
  BOOST_TEST(says(refusal(kVideo, {4, 15, 26}), "even height and width"));
  BOOST_TEST(says(refusal({DropKind::kGroups3d, 0.6}, kGrid), "3.2 of the 8"));
  BOOST_TEST(says(refusal({DropKind::kGroups3d, 0.875}, {3, 4, 4}), "0.5 of the 4"));
  BOOST_TEST(says(refusal({DropKind::kIid, 1}, kGrid), "[0, 1)"));
  BOOST_TEST(says(refusal({DropKind::kGroups3d, 1}, kGrid), "at least 1"));
  BOOST_TEST(refusal({}, {3, 5, 7}) == "accepted, 105");
  BOOST_CHECK_THROW(static_cast<void>(drop_kind("random")), InvalidArgument);
  BOOST_TEST(name_of(drop_kind("groups-2d")) == "groups-2d");
}

BOOST_AUTO_TEST_CASE(schedules) {
  BOOST_TEST(DropSchedule{}.drops_at(1 << 20));
  const DropSchedule first{.until = 80};
  BOOST_TEST(first.drops_at(79));
  BOOST_TEST(!first.drops_at(80));
  const DropSchedule nine_of_ten{.dense_every = 10};
  int sparse = 0;
  for (int step = 0; step < 100; ++step) sparse += nine_of_ten.drops_at(step);
  BOOST_TEST(sparse == 90);
  BOOST_TEST(!nine_of_ten.drops_at(9));
}

}  // namespace
}  // namespace eflow::soflow
