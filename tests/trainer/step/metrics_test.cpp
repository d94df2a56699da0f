// metrics.jsonl is truncated to the checkpoint's step on resume, whatever a killed process left.
#define BOOST_TEST_MODULE metrics
#include "eflow/trainer/step/metrics.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/tests/io/full_disk.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;
using namespace eflow::trainer;

namespace {

StepMetrics metrics_of(std::int64_t step) {
  StepMetrics m;
  m.step = step;
  m.loss = 1.0 / static_cast<double>(step);
  m.ids_hash = "abc";
  return m;
}

void write_steps(const std::filesystem::path& path, std::int64_t from, std::int64_t to) {
  MetricsWriter writer(path, from);
  for (std::int64_t step = from + 1; step <= to; ++step) writer.append(metrics_of(step));
}

std::vector<std::int64_t> steps_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::vector<std::int64_t> steps;
  for (std::string line; std::getline(file, line);) {
    steps.push_back(nlohmann::json::parse(line).at("step").get<std::int64_t>());
  }
  return steps;
}

}  // namespace

BOOST_AUTO_TEST_CASE(resume_cuts_what_follows_the_checkpoint) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  write_steps(path, 0, 7);
  std::ofstream(path, std::ios::app) << "{\"step\": 8, \"lo";  // a torn line
  write_steps(path, 4, 6);
  BOOST_TEST(steps_in(path) == (std::vector<std::int64_t>{1, 2, 3, 4, 5, 6}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_fresh_start_empties_the_file) {
  const TemporaryFolder folder;
  write_steps(folder.path() / "m", 0, 3);
  write_steps(folder.path() / "m", 0, 2);
  BOOST_TEST(steps_in(folder.path() / "m").size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_gap_is_refused) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  write_steps(path, 0, 3);
  BOOST_CHECK_THROW(MetricsWriter(path, 5), CorruptData);
  BOOST_TEST(steps_in(path).size() == 3u);  // the file is unchanged
}

BOOST_AUTO_TEST_CASE(numbers_read_back_to_the_same_bits) {
  StepMetrics m = metrics_of(3);
  m.grad_norm = 0.1 + 0.2;
  m.eval_mse = 1e-300;
  const auto line = nlohmann::json::parse(to_json_line(m));
  BOOST_TEST(line.at("loss").get<double>() == 1.0 / 3);
  BOOST_TEST(line.at("grad_norm").get<double>() == 0.1 + 0.2);
  BOOST_TEST(line.at("eval_mse").get<double>() == 1e-300);
  BOOST_TEST(!nlohmann::json::parse(to_json_line(metrics_of(1))).contains("eval_mse"));
}

BOOST_AUTO_TEST_CASE(lines_that_cannot_be_written_are_written_later) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  MetricsWriter writer(path, 0);
  writer.append(metrics_of(1));
  // A line fits in part: the file must still end with a complete one.
  test::with_file_size_limit(std::filesystem::file_size(path) + 10, [&] {
    BOOST_CHECK_THROW(writer.append(metrics_of(2)), IoError);
    BOOST_CHECK_THROW(writer.append(metrics_of(3)), IoError);
    BOOST_CHECK_THROW(static_cast<void>(writer.flush()), IoError);
    BOOST_TEST(steps_in(path).size() == 1u);
  });
  BOOST_TEST(writer.pending() ==
             to_json_line(metrics_of(2)) + "\n" + to_json_line(metrics_of(3)) + "\n");
  writer.append(metrics_of(4));
  BOOST_TEST(writer.pending().empty());
  BOOST_TEST(steps_in(path) == (std::vector<std::int64_t>{1, 2, 3, 4}),
             boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_removed_file_is_written_again) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "metrics.jsonl";
  MetricsWriter writer(path, 0);
  writer.append(metrics_of(1));
  BOOST_TEST(writer.is_at(path));
  std::filesystem::remove(path);
  BOOST_TEST(!writer.is_at(path));
  writer.append(metrics_of(2));
  writer.move_to(path);
  BOOST_TEST(writer.is_at(path));
  writer.append(metrics_of(3));
  BOOST_TEST(steps_in(path) == (std::vector<std::int64_t>{1, 2, 3}),
             boost::test_tools::per_element());
}
