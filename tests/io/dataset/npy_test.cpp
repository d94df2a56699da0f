// .npy files: arrays survive a round trip, and invalid files are rejected with a reason.
#define BOOST_TEST_MODULE npy
#include "eflow/io/dataset/npy.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using eflow::io::NpyFile;
using eflow::io::write_npy;

namespace {

/// Returns a file with this header text and `data` zero bytes of data.
std::string file_with(const std::string& header, std::size_t data, char version = 1) {
  std::string out = "\x93NUMPY";
  out += {version, '\0', static_cast<char>(header.size() & 255),
          static_cast<char>(header.size() >> 8)};
  if (version == 2) out += {'\0', '\0'};
  return out + header + std::string(data, '\0');
}

const std::string kGood = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";

}  // namespace

BOOST_AUTO_TEST_CASE(round_trip) {
  const TempDir dir;
  for (const DType dtype : {DType::kU8, DType::kI32, DType::kI64, DType::kF32, DType::kF64}) {
    for (const Shape& shape :
         {Shape{}, Shape{5}, Shape{4, 3}, Shape{2, 0, 3}, Shape{2, 1, 2, 1, 2}}) {
      Bytes bytes(static_cast<std::size_t>(element_count(shape)) * size_of(dtype));
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
      write_npy(dir / "a.npy", dtype, shape, bytes);
      const NpyFile file(dir / "a.npy");
      BOOST_TEST(file.dtype() == dtype);
      BOOST_TEST(file.shape() == shape);
      Bytes got(bytes.size());
      file.read_rows(0, file.rows(), got);
      BOOST_TEST((got == bytes));
    }
  }
  BOOST_CHECK_THROW(write_npy(dir / "a.npy", DType::kBF16, {1}, Bytes(2)), InvalidArgument);
  BOOST_CHECK_THROW(write_npy(dir / "a.npy", DType::kU8, {3}, Bytes(2)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(rows) {
  const TempDir dir;
  Bytes bytes(12);
  for (std::size_t i = 0; i < 12; ++i) bytes[i] = static_cast<std::byte>(i);
  write_npy(dir / "a.npy", DType::kU8, {4, 3}, bytes);
  const NpyFile file(dir / "a.npy");
  Bytes two(6);
  file.read_rows(1, 2, two);
  BOOST_TEST((two == Bytes(bytes.begin() + 3, bytes.begin() + 9)));
  BOOST_CHECK_THROW(file.read_rows(3, 2, two), InvalidArgument);
  BOOST_CHECK_THROW(file.read_rows(-1, 2, two), InvalidArgument);
  BOOST_CHECK_THROW(file.read_rows(0, 1, two), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(versions_and_spellings) {
  const TempDir dir;
  const fs::path path = dir / "a.npy";
  for (const std::string& content :
       {file_with(kGood, 24), file_with(kGood, 24, 2),
        file_with("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}", 24)}) {
    spill(path, content);
    BOOST_TEST(NpyFile(path).shape() == (Shape{2, 3}));
  }
}

BOOST_AUTO_TEST_CASE(unreadable_arrays_say_how_to_convert) {
  const TempDir dir;
  const fs::path path = dir / "a.npy";
  const auto text = [&](const std::string& descr, const std::string& order) {
    spill(path,
          file_with("{'descr': " + descr + ", 'fortran_order': " + order + ", 'shape': (2, 3), }",
                    24));
    return text_of<InvalidArgument>([&] { NpyFile{path}; });
  };
  BOOST_TEST(has(text("'<f4'", "True"), "ascontiguousarray"));
  for (const char* descr :
       {"'>f4'", "'|b1'", "'<f2'", "'<c8'", "'|O'", "'<U3'", "'<i2'", "'<u4'"}) {
    BOOST_TEST(has(text(descr, "False"), "astype"), descr);
  }
  BOOST_TEST(has(text("[('a', '<f4')]", "False"), "records"));
  spill(path, file_with(kGood, 24, 3));
  BOOST_CHECK_THROW(NpyFile{path}, InvalidArgument);
}

BOOST_AUTO_TEST_CASE(integers_of_every_type_are_read) {
  const TempDir dir;
  const fs::path path = dir / "a.npy";
  const auto read = [&](const std::string& descr, const std::string& bytes) {
    std::string file = file_with(
        "{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }", bytes.size());
    file.replace(file.size() - bytes.size(), bytes.size(), bytes);
    spill(path, file);
    return io::read_npy_integers(path).values.at(0);
  };
  const std::string minus(8, '\xff');
  BOOST_TEST(read("|b1", "\1") == 1);
  BOOST_TEST(read("|u1", "\xfe") == 254);
  BOOST_TEST(read("|i1", "\xfe") == -2);
  BOOST_TEST(read("<i2", "\xfe\xff") == -2);
  BOOST_TEST(read(">i2", std::string("\0\2", 2)) == 2);
  BOOST_TEST(read("<u2", "\xfe\xff") == 65534);
  BOOST_TEST(read("<i4", "\xfe\xff\xff\xff") == -2);
  BOOST_TEST(read(">u4", "\xff\xff\xff\xfe") == 4294967294);
  BOOST_TEST(read("<i8", minus) == -1);
  BOOST_TEST(read("<u8", minus) == std::numeric_limits<std::int64_t>::max());
  const auto refused = [&](const char* descr) {
    return text_of<InvalidArgument>([&] { read(descr, "abcd"); });
  };
  BOOST_TEST(has(refused("<f4"), "array.astype('<i8')"));
  BOOST_TEST(has(refused("<U1"), "np.unique"));
  spill(path, file_with("{'descr': '<i2', 'fortran_order': False, 'shape': (9,), }", 17));
  BOOST_CHECK_THROW(io::read_npy_integers(path), CorruptData);
}

BOOST_AUTO_TEST_CASE(damaged_files_are_refused) {
  const TempDir dir;
  const fs::path path = dir / "a.npy";
  for (const std::string& header : std::vector<std::string>{
           "", "{", "{}", "x", kGood + "x", "{'descr': '<f4', 'fortran_order': False}",
           "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'extra': 1}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}",
           "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
           "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000)}",
           "{'descr': '<f4"}) {
    spill(path, file_with(header, 24));
    BOOST_TEST(!text_of<CorruptData>([&] { NpyFile{path}; }).empty(), header);
  }
  const std::string good = file_with(kGood, 24);
  for (std::size_t size = 0; size < good.size(); ++size) {
    spill(path, good.substr(0, size));
    BOOST_TEST(!text_of<CorruptData>([&] { NpyFile{path}; }).empty(), size);
  }
  spill(path, good + "x");
  BOOST_CHECK_THROW(NpyFile{path}, CorruptData);
  std::string lying = file_with(kGood, 24, 2);
  lying[11] = '\x7f';  // a header of 2 GB
  spill(path, lying);
  BOOST_CHECK_THROW(NpyFile{path}, CorruptData);
  BOOST_CHECK_THROW(NpyFile(dir / "none.npy"), IoError);
  BOOST_CHECK_THROW(NpyFile(dir.path()), Error);
}
