// .safetensors files: arrays survive a round trip, and invalid headers are rejected with a reason.
#define BOOST_TEST_MODULE safetensors
#include "eflow/io/arrays/safetensors.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using io::SafetensorsFile;
using io::write_safetensors;

namespace {

std::string file_with(const std::string& header, std::size_t data) {
  const auto length = static_cast<std::uint64_t>(header.size());
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data, '\1');
}

struct Bad {
  std::string content, reason;
};
std::ostream& operator<<(std::ostream& out, const Bad& bad) {
  return out << bad.reason;
}

const std::string kOne = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

const std::vector<Bad> kBad = {
    {"1234", "it is not a .safetensors file"},
    {file_with("{" + kOne + "}", 8).substr(0, 20), "the header has"},
    {file_with("[]", 0), "expected a JSON object"},
    {file_with("{nonsense", 0), "header"},
    {file_with("{" + kOne + "}", 4), "data_offsets do not delimit the 8 bytes"},
    {file_with("{" + kOne + "}", 12), "4 bytes follow the last array"},
    {file_with("{" + kOne + "," + kOne + "}", 8), "two arrays are named \"a\""},
    {file_with("{" + kOne + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[7,8]}})", 8),
     "arrays overlap or leave a hole"},
    {file_with("{" + kOne + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}})", 10),
     "arrays overlap or leave a hole"},
    {file_with(R"({"a":{"dtype":"Q4","shape":[2],"data_offsets":[0,8]}})", 8), "unknown dtype"},
    {file_with(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}})", 8), "out of range"},
    {file_with(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})", 8),
     "out of range"},
    {file_with(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8), "\"shape\""},
    {file_with(R"({"__metadata__":{"k":1},)" + kOne + "}", 8), "__metadata__"},
    {file_with(std::string(100, '[') + std::string(100, ']'), 0), "nest deeper"},
};

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip) {
  const TempDir dir;
  const std::vector<float> a = {1.5f, -2, 3, 4};
  const std::vector<std::int64_t> b = {-7, 9};
  write_safetensors(dir / "x.safetensors",
                    {{"a", "F32", {2, 2}, std::as_bytes(std::span(a))},
                     {"none", "U8", {0}, {}},
                     {"b", "I64", {2}, std::as_bytes(std::span(b))}},
                    {{"encoder", "T5"}});
  const SafetensorsFile file(dir / "x.safetensors");
  BOOST_TEST(file.arrays().size() == 3u);
  BOOST_TEST(file.metadata("encoder") == "T5");
  BOOST_TEST(file.metadata("other") == "");
  std::vector<float> middle(2);
  file.read_floats("a", 1, middle);
  BOOST_TEST(middle == (std::vector<float>{-2, 3}), boost::test_tools::per_element());
  BOOST_TEST(file.read_integers("b") == b, boost::test_tools::per_element());
  BOOST_TEST(file.array("a").offset % 8 == 0u);
  BOOST_CHECK_EXCEPTION(static_cast<void>(file.array("c")), InvalidArgument, [](const auto& e) {
    return std::string(e.what()).find("a, b, none") != std::string::npos;
  });
  std::vector<float> five(5);
  BOOST_CHECK_THROW(file.read_floats("a", 0, five), InvalidArgument);
  BOOST_CHECK_THROW(file.read_floats("b", 0, middle), InvalidArgument);
  BOOST_CHECK_THROW(static_cast<void>(file.read_integers("a")), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(wrong_arrays_are_not_written) {
  const TempDir dir;
  const std::vector<float> a(4);
  const auto bytes = std::as_bytes(std::span(a));
  BOOST_CHECK_THROW(write_safetensors(dir / "x", {{"a", "F32", {5}, bytes}}), InvalidArgument);
  BOOST_CHECK_THROW(write_safetensors(dir / "x", {{"a", "F33", {4}, bytes}}), InvalidArgument);
  BOOST_CHECK_THROW(
      write_safetensors(dir / "x", {{"a", "F32", {4}, bytes}, {"a", "F32", {4}, bytes}}),
      InvalidArgument);
  BOOST_TEST(!fs::exists(dir / "x"));
}

BOOST_DATA_TEST_CASE(invalid_files_are_refused, boost::unit_test::data::make(kBad), bad) {
  const TempDir dir;
  spill(dir / "x.safetensors", bad.content);
  BOOST_CHECK_EXCEPTION(SafetensorsFile(dir / "x.safetensors"), CorruptData, [&](const auto& e) {
    BOOST_TEST_MESSAGE(e.what());
    return std::string(e.what()).find(bad.reason) != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(half_precision_is_exact) {
  BOOST_TEST(io::half_to_float(0x3c00) == 1.0f);
  BOOST_TEST(io::half_to_float(0xc000) == -2.0f);
  BOOST_TEST(io::half_to_float(0x3555) == 0.333251953125f);
  BOOST_TEST(io::half_to_float(0x7bff) == 65504.0f);
  BOOST_TEST(io::half_to_float(0x0001) == std::ldexp(1.0f, -24));
  BOOST_TEST(io::half_to_float(0x83ff) == -std::ldexp(1023.0f, -24));
  BOOST_TEST(std::signbit(io::half_to_float(0x8000)));
  BOOST_TEST(std::isinf(io::half_to_float(0x7c00)));
  BOOST_TEST(std::isnan(io::half_to_float(0x7e00)));
}
