#define BOOST_TEST_MODULE shape
#include "eflow/core/base/shape.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"

namespace eflow {
namespace {

BOOST_AUTO_TEST_CASE(dimensions_count_from_both_ends) {
  Shape s{2, 3, 4};
  BOOST_TEST(s[-1] == 4);
  BOOST_TEST(s.axis(-3) == 0);
  BOOST_CHECK_THROW((void)s[3], InvalidArgument);
  s.insert(1, 9);
  BOOST_TEST(s == (Shape{2, 9, 3, 4}));
}

BOOST_AUTO_TEST_CASE(counts_and_strides) {
  BOOST_TEST(element_count({}) == 1);
  BOOST_TEST(element_count({5, 0}) == 0);
  BOOST_TEST(contiguous_strides({2, 3, 4}) == (Strides{12, 4, 1}));
  BOOST_CHECK_THROW((void)element_count({std::int64_t{1} << 40, std::int64_t{1} << 40}),
                    InvalidArgument);
  BOOST_CHECK_THROW((void)element_count({-1}), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(broadcasting_follows_numpy) {
  BOOST_TEST(broadcast_shapes({3, 1}, {2, 1, 4}, "t") == (Shape{2, 3, 4}));
  BOOST_TEST(broadcast_shapes({}, {2}, "t") == (Shape{2}));
  BOOST_CHECK_THROW((void)broadcast_shapes({3}, {4}, "t"), ShapeError);
}

}  // namespace
}  // namespace eflow
