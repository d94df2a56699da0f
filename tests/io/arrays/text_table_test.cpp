// TextTable: captions, embeddings and named prompts are found again, and inconsistent tables are
// refused.
#define BOOST_TEST_MODULE text_table
#include "eflow/io/arrays/text_table.hpp"

#include <boost/test/unit_test.hpp>
#include <functional>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/io_support.hpp"

using namespace eflow;
using namespace eflow::test;
using io::TextTable;

namespace {

/// Three captions of 2, 1 and 3 tokens, of width 2.
struct Table {
  std::vector<float> embeddings = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, null = {-1, -2},
                     blurry = {7, 7, 8, 8};
  std::vector<std::int64_t> ends = {2, 3, 6}, caption_ends = {1, 3, 6},
                            clips = {0, -1, 2, 1, 2, -1, 0, 2};
  std::string captions = "abbccc";
  std::map<std::string, std::string> metadata = {{"encoder", "E"}, {"max_length", "8"}};

  [[nodiscard]] TextTable write(const fs::path& path) const {
    io::write_safetensors(
        path,
        {{"embeddings", "F32", {6, 2}, std::as_bytes(std::span(embeddings))},
         {"ends", "I64", {3}, std::as_bytes(std::span(ends))},
         {"captions", "U8", {6}, std::as_bytes(std::span(captions.data(), captions.size()))},
         {"caption_ends", "I64", {3}, std::as_bytes(std::span(caption_ends))},
         {"clip_captions", "I64", {4, 2}, std::as_bytes(std::span(clips))},
         {"null", "F32", {1, 2}, std::as_bytes(std::span(null))},
         {"negative.blurry", "F32", {2, 2}, std::as_bytes(std::span(blurry))}},
        metadata);
    return TextTable(path);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(what_was_written_is_found) {
  const TempDir dir;
  const TextTable table = Table().write(dir / "t.safetensors");
  BOOST_TEST(table.size() == 3);
  BOOST_TEST(table.width() == 2);
  BOOST_TEST(table.dtype() == DType::kF32);
  BOOST_TEST(table.rows(2) == 3);
  BOOST_TEST(table.longest() == 3);
  BOOST_TEST(table.max_length() == 8);
  BOOST_TEST(table.caption(1) == "bb");
  BOOST_TEST(*table.find("ccc") == 2);
  BOOST_TEST(!table.find("x"));
  BOOST_TEST(table.read(1) == (std::vector<float>{4, 5}), boost::test_tools::per_element());
  BOOST_TEST(table.clip_captions().size() == 4u);
  BOOST_TEST(table.clip_captions()[0].size() == 1u);
  BOOST_TEST(table.clip_captions()[3][1] == 2);
  BOOST_TEST(table.prompt_names() == (std::vector<std::string>{"blurry", "null"}),
             boost::test_tools::per_element());
  BOOST_TEST(table.read_prompt("blurry")[2] == 8);
  BOOST_TEST(table.read_prompt("null")[1] == -2);
}

BOOST_AUTO_TEST_CASE(inconsistent_tables_are_refused) {
  const TempDir dir;
  const auto refused = [&](const std::function<void(Table&)>& change, const std::string& reason) {
    Table table;
    change(table);
    BOOST_CHECK_EXCEPTION(static_cast<void>(table.write(dir / "t.safetensors")), CorruptData,
                          [&](const auto& e) {
                            BOOST_TEST_MESSAGE(e.what());
                            return std::string(e.what()).find(reason) != std::string::npos;
                          });
  };
  refused([](Table& t) { t.ends = {2, 2, 6}; }, "\"ends\", element 1: 2 after 2");
  refused([](Table& t) { t.ends = {2, 3, 5}; }, "\"ends\" ends at 5; expected 6");
  refused([](Table& t) { t.ends = {2, 3, 7}; }, "\"ends\", element 2");
  refused([](Table& t) { t.caption_ends = {1, 3, 5}; }, "\"caption_ends\" ends at 5");
  refused(
      [](Table& t) {
        t.captions =
            "a\xff"
            "bccc";
      },
      "caption 1 is not UTF-8");
  refused([](Table& t) { t.clips[3] = 3; }, "clip 1 has caption 3 of 3");
  refused([](Table& t) { t.clips = {0, 1, -1, -1, 0, 0, 0, 0}; }, "clip 1 has no caption");
  refused([](Table& t) { t.metadata["max_length"] = "2"; }, "max_length is \"2\"");
  refused([](Table& t) { t.metadata["max_length"] = "x"; }, "max_length is \"x\"");
}

BOOST_AUTO_TEST_CASE(other_files_are_named) {
  const TempDir dir;
  const std::vector<float> a(2);
  io::write_safetensors(dir / "x.safetensors", {{"a", "F32", {2}, std::as_bytes(std::span(a))}});
  BOOST_CHECK_THROW(TextTable(dir / "x.safetensors"), InvalidArgument);
}
