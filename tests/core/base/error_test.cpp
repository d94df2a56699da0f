// Numbers in texts that machines read, whatever locale the application chose.
#define BOOST_TEST_MODULE error
#include "eflow/core/base/error.hpp"

#include <boost/test/unit_test.hpp>
#include <locale>

#include "eflow/core/base/number_text.hpp"
#include "eflow/tests/support/national_locale.hpp"

namespace eflow {
namespace {

BOOST_AUTO_TEST_CASE(the_global_locale_does_not_reach_texts) {
  const test::NationalLocale locale;
  BOOST_TEST(str("kernel<", 1024, ">(", 1234567.5, ", ", -65536, ")") ==
             "kernel<1024>(1.23457e+06, -65536)");
  BOOST_TEST(str(0.5) == "0.5");
}

BOOST_AUTO_TEST_CASE(numbers_are_written_as_printf_does) {
  const test::NationalLocale locale;
  BOOST_TEST(fixed_text(1234.567, 2) == "1234.57");
  BOOST_TEST(fixed_text(-0.004, 2) == "-0.00");
  BOOST_TEST(short_text(1234.567, 3) == "1.23e+03");
  BOOST_TEST(short_text(0.25, 4) == "0.25");
}

}  // namespace
}  // namespace eflow
