// How parameters are divided into buckets and slices.
#define BOOST_TEST_MODULE flat_layout
#include "eflow/trainer/ranks/flat_layout.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/ops/parameter_list.hpp"

using namespace eflow;
using trainer::FlatLayout;
using trainer::Piece;
namespace data = boost::unit_test::data;

namespace {

constexpr std::int64_t kBlock = ParameterList::kPerBlock;

nn::NamedTensors parameters() {
  nn::NamedTensors all;
  for (const std::int64_t count : {5l, 3 * kBlock, 1l, kBlock + 7, 40 * kBlock, 2l, 9 * kBlock - 1})
    all.emplace_back(str("p", all.size()), Tensor::zeros({count}));
  return all;
}

}  // namespace

// Whatever the number of ranks and the size of buckets: each value belongs to one rank, a slice ends
// where a block or a parameter ends, and a rank has one piece of a parameter at most.
BOOST_DATA_TEST_CASE(slices_cover_the_row_once,
                     data::make({1, 2, 3, 8, 50}) *
                         data::make({std::int64_t{1}, kBlock, 5 * kBlock, FlatLayout::kOneBucket}),
                     ranks, slice) {
  const nn::NamedTensors all = parameters();
  const FlatLayout layout(all, ranks, slice);
  std::vector<std::vector<std::int64_t>> seen;
  for (const auto& [name, tensor] : all)
    seen.emplace_back(static_cast<std::size_t>(tensor.count()), 0);
  std::int64_t total = 0, blocks = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    std::int64_t at = 0, own_blocks = 0;
    std::size_t next = 0;
    for (const Piece& piece : layout.pieces(rank)) {
      const std::int64_t size = all[piece.parameter].second.count();
      BOOST_TEST(piece.parameter >= next);
      next = piece.parameter + 1;
      BOOST_TEST(piece.offset == at);
      BOOST_TEST(piece.begin % kBlock == 0);
      BOOST_TEST((piece.count % kBlock == 0 || piece.begin + piece.count == size));
      for (std::int64_t i = 0; i < piece.count; ++i)
        ++seen[piece.parameter][static_cast<std::size_t>(piece.begin + i)];
      at += piece.count;
      own_blocks += (piece.count + kBlock - 1) / kBlock;
    }
    BOOST_TEST(layout.count(rank) == at);
    BOOST_TEST(layout.blocks(rank) == own_blocks);
    total += at;
    blocks += own_blocks;
  }
  BOOST_TEST(total == layout.count());
  BOOST_TEST(blocks == 1 + 3 + 1 + 2 + 40 + 1 + 9);
  for (const auto& counts : seen)
    BOOST_TEST(std::count(counts.begin(), counts.end(), 1) ==
               static_cast<std::int64_t>(counts.size()));
}

BOOST_AUTO_TEST_CASE(a_bucket_ends_with_the_parameter_that_fills_it) {
  const FlatLayout layout(parameters(), 2, 2 * kBlock);  // 4 blocks
  std::vector<std::size_t> ends;
  std::int64_t offset = 0;
  for (const FlatLayout::Bucket& bucket : layout.buckets()) {
    BOOST_TEST(bucket.first == (ends.empty() ? 0 : ends.back()));
    BOOST_TEST(bucket.offset == offset);
    offset += bucket.count;
    ends.push_back(bucket.last);
  }
  BOOST_TEST(ends == (std::vector<std::size_t>{4, 5, 7}), boost::test_tools::per_element());
  BOOST_TEST(offset == layout.count());
}

BOOST_AUTO_TEST_CASE(ranks_have_about_as_much) {
  const FlatLayout layout(parameters(), 4, 5 * kBlock);
  BOOST_REQUIRE_EQUAL(layout.buckets().size(), 2u);
  for (int rank = 0; rank < 4; ++rank)
    BOOST_TEST(std::abs(layout.count(rank) - layout.count() / 4) <= 2 * kBlock);
}
