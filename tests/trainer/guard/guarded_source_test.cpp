// Damaged clips: which clip takes whose place, what is no damage, and the list of them.
#define BOOST_TEST_MODULE guarded_source
#include "eflow/trainer/guard/guarded_source.hpp"

#include <boost/test/unit_test.hpp>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/trainer/guard/quarantine.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

/// Ten clips of one number, their index, with contexts of one number, 100 and the index.
class Fragile final : public io::ClipSource {
 public:
  explicit Fragile(std::set<std::int64_t> bad, std::set<std::int64_t> bad_captions = {})
      : bad_(std::move(bad)), bad_captions_(std::move(bad_captions)) {}
  [[nodiscard]] std::int64_t size() const override { return 10; }
  [[nodiscard]] Shape clip_shape() const override { return {1, 1, 1, 1}; }
  [[nodiscard]] std::int64_t class_count() const override { return 10; }
  std::int32_t read(std::int64_t index, std::span<float> clip) const override {
    if (index == 9) throw IoError("[read] clip 9: Input/output error");
    if (bad_.contains(index)) throw CorruptData(str("clip ", index, ": wrong hash"));
    clip[0] = static_cast<float>(index);
    return static_cast<std::int32_t>(index);
  }
  [[nodiscard]] Shape context_shape() const override { return {1, 1}; }
  void read_context(std::int64_t index, std::uint64_t /*draw*/,
                    std::span<float> context) const override {
    if (bad_captions_.contains(index)) throw CorruptData(str("captions of ", index));
    context[0] = 100 + static_cast<float>(index);
  }

 private:
  std::set<std::int64_t> bad_, bad_captions_;
};

struct Guarded {
  explicit Guarded(std::set<std::int64_t> bad, std::set<std::int64_t> captions = {})
      : source(std::make_unique<Fragile>(std::move(bad), std::move(captions)), "folder",
               {20, 21, 22, 23, 24, 25, 26, 27, 28, 29}, list) {}
  /// Clip, label and context of an index.
  std::vector<float> read(std::int64_t index) {
    float clip = -1, context = -1;
    const std::int32_t label = source.read(index, {&clip, 1});
    source.read_context(index, 0, {&context, 1});
    return {clip, static_cast<float>(label), context};
  }
  test::Warnings warnings;
  std::shared_ptr<DamageList> list = std::make_shared<DamageList>();
  GuardedSource source;
};

using Values = std::vector<float>;

}  // namespace

BOOST_AUTO_TEST_CASE(policies_are_parsed) {
  BOOST_TEST(parse_on_error("error").most == 0);
  BOOST_TEST(parse_on_error("skip:12").most == 12);
  BOOST_TEST(parse_on_error("quarantine").most > 1'000'000'000);
  for (const char* text :
       {"", "skip", "skip:", "skip:0", "skip:-1", "skip:1x", "Error", "skip:99999999999999999999"})
    BOOST_CHECK_THROW(static_cast<void>(parse_on_error(text)), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(the_next_intact_clip_takes_the_place) {
  Guarded guarded({3, 4});
  BOOST_TEST((guarded.read(2) == Values{2, 2, 102}));
  BOOST_TEST((guarded.read(3) == Values{5, 5, 105}));
  BOOST_TEST((guarded.read(4) == Values{5, 5, 105}));
  BOOST_TEST((guarded.read(5) == Values{5, 5, 105}));
  BOOST_TEST(guarded.source.is_damaged(3));
  BOOST_TEST(!guarded.source.is_damaged(5));
  BOOST_TEST(guarded.warnings.count() == 2);  // each is said once
  BOOST_TEST(guarded.list->contains("folder", 23, ClipPart::kValues));
}

BOOST_AUTO_TEST_CASE(a_clip_without_captions_is_unconditioned) {
  Guarded guarded({3}, {4, 6});
  BOOST_TEST((guarded.read(6) == Values{6, 6, 0}));
  BOOST_TEST((guarded.read(3) == Values{4, 4, 0}));
  BOOST_TEST(guarded.list->contains("folder", 26, ClipPart::kCaptions));
  BOOST_TEST(!guarded.list->contains("folder", 26, ClipPart::kValues));
}

/// A disk that fails says nothing about the clips.
BOOST_AUTO_TEST_CASE(an_input_error_is_no_damage) {
  Guarded guarded({8});
  float clip = 0;
  BOOST_CHECK_THROW(guarded.source.read(9, {&clip, 1}), IoError);
  BOOST_CHECK_THROW(guarded.source.read(8, {&clip, 1}), IoError);  // whose place 9 would take
  BOOST_TEST(!guarded.source.is_damaged(9));
}

BOOST_AUTO_TEST_CASE(no_intact_clip_is_an_error) {
  Guarded guarded({0, 1, 2, 3, 4, 5, 6, 7, 8});
  guarded.list->note({.data = "folder", .clip = 29, .error = "known"});
  float clip = 0;
  BOOST_CHECK_THROW(guarded.source.read(4, {&clip, 1}), CorruptData);
}

BOOST_AUTO_TEST_CASE(the_list_reads_back_up_to_a_step) {
  Guarded guarded({3, 4, 7});
  for (const std::int64_t i : {3, 7}) static_cast<void>(guarded.read(i));
  BOOST_TEST(guarded.source.meet(7, 5));
  BOOST_TEST(!guarded.source.meet(7, 6));
  BOOST_TEST(guarded.source.meet(3, 9));
  BOOST_TEST(guarded.list->met() == 2);  // 4 was only passed over
  const std::string lines = guarded.list->met_lines();
  BOOST_TEST(lines.find("\"clip\":27") < lines.find("\"clip\":23"));
  DamageList later, earlier;
  later.merge(lines, "list");
  BOOST_TEST(later.met_lines() == lines);
  earlier.merge(lines, "list", 5);
  BOOST_TEST(earlier.met() == 1);
  DamageList other;
  other.merge(guarded.list->take_new(), "rank 1");
  BOOST_TEST(other.all().size() == 3u);
  BOOST_TEST(guarded.list->take_new().empty());
}

BOOST_AUTO_TEST_CASE(lines_that_are_no_entries_are_named) {
  DamageList list;
  const std::string good = R"({"data":"d","clip":1,"part":"values","step":2,"error":"e"})";
  for (const std::string bad :
       {"x", "[]", "{}", R"({"data":"d","clip":"1","part":"values","step":2,"error":"e"})",
        R"({"data":"d","clip":1,"part":"labels","step":2,"error":"e"})"}) {
    BOOST_CHECK_EXCEPTION(
        list.merge(good + "\n" + bad + "\n", "q.jsonl"), CorruptData, [](const CorruptData& error) {
          return std::string(error.what()).find("q.jsonl, line 2") != std::string::npos;
        });
  }
}

/// A durable write at each step would cost every step.
BOOST_AUTO_TEST_CASE(the_file_is_written_when_a_damaged_clip_is_met_for_the_first_time) {
  namespace fs = std::filesystem;
  Guarded guarded({3, 4});
  comm::Communicator alone;
  Quarantine quarantine(guarded.list, {&guarded.source}, "quarantine", &alone);
  const test::TempDir folder;
  const fs::path path = folder / "quarantine.jsonl", gone = folder / "gone" / "quarantine.jsonl";
  const auto wrote = [&](std::int64_t step, std::int64_t clip, const fs::path& to) {
    static_cast<void>(guarded.read(clip));
    StepMetrics metrics{.step = step};
    quarantine.note({{.source = 0, .index = clip}}, to, &metrics);
    return fs::remove(to);
  };
  BOOST_TEST(!wrote(1, 2, path));
  BOOST_TEST(!wrote(2, 3, gone));  // cannot be written, so it is tried again
  BOOST_TEST(wrote(3, 2, path));
  BOOST_TEST(!wrote(4, 3, path));
  BOOST_TEST(wrote(5, 4, path));
}
