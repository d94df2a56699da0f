// Numbers in texts that machines read, whatever locale the application chose.
#define BOOST_TEST_MODULE error
#include "eflow/core/base/error.hpp"

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
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

BOOST_AUTO_TEST_CASE(errors_of_the_system_say_what_to_do) {
  const auto text_of = [](int code) {
    try {
      errno = code;
      throw_errno("open", "/a/b");
    } catch (const IoError& error) {
      return std::string(error.what());
    }
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  for (const int code : {ENOENT, ENOSPC, EDQUOT, EFBIG, EMFILE, EACCES, EPERM, EROFS, ENOTDIR,
                         EISDIR, ENAMETOOLONG, ELOOP, EIO}) {
    const std::string text = text_of(code);
    BOOST_TEST(text.starts_with(str("[open] /a/b: ", std::strerror(code), "; ")), text);
  }
  BOOST_TEST(text_of(EBUSY) == str("[open] /a/b: ", std::strerror(EBUSY)));
  BOOST_TEST(has(text_of(EMFILE), "ulimit -n"));
  errno = ENOSPC;
  BOOST_CHECK_THROW(throw_errno("write", "x"), NoSpaceError);
}

}  // namespace
}  // namespace eflow
