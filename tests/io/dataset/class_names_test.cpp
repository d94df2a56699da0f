// Lists of class names as editors of several systems write them, and lists that are refused.
#define BOOST_TEST_MODULE class_names
#include "eflow/io/dataset/class_names.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using Names = std::vector<std::string>;

BOOST_AUTO_TEST_CASE(the_form_of_the_text_does_not_matter) {
  const TempDir dir;
  const fs::path path = dir / "names.txt";
  const Names expected{"cat", "dog", "red car"};
  for (const char* text : {"cat\ndog\nred car\n", "cat\ndog\nred car", "cat\r\ndog\r\nred car\r\n",
                           "cat\rdog\rred car",
                           "\xef\xbb\xbf"
                           "cat\ndog\nred car\n",
                           "cat\ndog\nred car\n\n \r\n\n", " cat\t\ndog \nred car"}) {
    spill(path, text);
    BOOST_TEST(io::read_class_names(path) == expected, text);
  }
  spill(path, "caf\xc3\xa9\n\xe7\x8c\xab\n");
  BOOST_TEST(io::read_class_names(path).size() == 2u);
}

BOOST_AUTO_TEST_CASE(refused_lists_name_the_line) {
  const TempDir dir;
  const fs::path path = dir / "names.txt";
  const auto text = [&](const std::string& content) {
    spill(path, content);
    return text_of<InvalidArgument>([&] { static_cast<void>(io::read_class_names(path)); });
  };
  BOOST_TEST(has(text("dog\ncaf\xe9\n"), "line 2: the name is not UTF-8"));
  BOOST_TEST(has(text("\xed\xa0\x80\n"), "line 1: the name is not UTF-8"));  // a lone surrogate
  BOOST_TEST(has(text("\xc0\xaf\n"), "line 1: the name is not UTF-8"));      // overlong
  BOOST_TEST(has(text("cat\n\ndog\n"), "line 2: the name is empty"));
  BOOST_TEST(has(text("cat\ndog\ncat\n"), "line 3: \"cat\" already names class 0"));
  BOOST_TEST(has(text(std::string("c\0t\n", 4)), "control character"));
  BOOST_TEST(has(text(std::string("\xff\xfe"
                                  "c\0a\0t\0",
                                  8)),
                 "UTF-16"));
  BOOST_TEST(has(text(""), "no names"));
  BOOST_TEST(has(text("\n\n"), "no names"));
  BOOST_CHECK_THROW(io::check_class_names({"a", "b", "a"}), InvalidArgument);
  BOOST_CHECK_THROW(io::check_class_names({"a", ""}), InvalidArgument);
  io::check_class_names({});
}
