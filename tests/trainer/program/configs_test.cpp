// Every configuration in configs/ passes a dry run, and those of the paper's tables describe the
// models that the tables list.
#define BOOST_TEST_MODULE configs
#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <vector>

#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

namespace {

const std::filesystem::path kConfigs = EFLOW_CONFIGS;

std::vector<std::string> all_configs() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConfigs)) {
    if (entry.path().extension() == ".ini")
      names.push_back(std::filesystem::relative(entry.path(), kConfigs).string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Says where the clips are, for configurations that leave it to the command line.
std::string clips_for(const std::string& name) {
  const std::string text = content_of(kConfigs / name);
  const bool has = text.find("\nclip = ") != std::string::npos ||
                   text.find("data.clip = ") != std::string::npos ||
                   text.find("[exact]") != std::string::npos;
  return has ? "" : " --data.clip=3x8x32x32";
}

std::string dry_run(const std::string& name) {
  const TemporaryFolder folder;
  const auto out = folder.path() / "run";
  const Outcome outcome = eflow_says("train --config " + (kConfigs / name).string() +
                                     clips_for(name) + " --dry-run --out " + out.string());
  BOOST_REQUIRE_MESSAGE(outcome.code == 0, name << "\n" << outcome.text);
  BOOST_TEST(!std::filesystem::exists(out));
  return outcome.text;
}

/// A row of a table: the parameters of its model, and the tokens and the cost of its first and last
/// step as the dry run prints them.
struct Row {
  const char* name;
  const char* parameters;
  const char* first;
  const char* last;
};
std::ostream& operator<<(std::ostream& out, const Row& row) {
  return out << row.name;
}

const char* const kAll = "2048 of 2048 tokens in the middle blocks, 3 forwards per clip";
const char* const kQuarter = "512 of 2048 tokens in the middle blocks, 3 forwards per clip";
const Row kRows[] = {
    {"table2-base1", "457007680", kAll, kAll},      // published: 457 M
    {"table2-base2", "459663040", kQuarter, kAll},  // and the fusion
    {"table2-base3", "610879168", kQuarter, kAll},  // published: 607 M
    {"table2-ours1", "523478080", kAll, kAll},      // published: 529 M
    {"table2-ours2", "526133440", kQuarter, kAll},
    {"table2-ours3", "529382080", "512 of 2048 tokens in the middle blocks, 3.77 forwards",
     "2048 of 2048 tokens in the middle blocks, 3.34 forwards"},
    {"table2-ours4", "529382080", "512 of 2048 tokens in the middle blocks, 3.77 forwards",
     "2048 of 2048 tokens in the middle blocks, 3.91 forwards"},
    {"table3-linear", "104252992", kAll, kAll},
    {"table3-window", "104252992", kAll, kAll},
    {"table3-sum", "104262208", kAll, kAll},
    {"table3-glga", "118436416", kAll, kAll},
    {"table4-fm", "118436416", kAll, kAll},
    {"table4-sfm", "121192768", "2048 of 2048 tokens in the middle blocks, 4.5 forwards",
     "2048 of 2048 tokens in the middle blocks, 4.5 forwards"},
    {"table4-pdg-sfm", "121192768", "2048 of 2048 tokens in the middle blocks, 3.44 forwards",
     "2048 of 2048 tokens in the middle blocks, 3.44 forwards"},
    {"sla", "104302016", kAll, kAll},
    {"vsa", "112512064", kAll, kAll},
};

/// The line of the dry run that begins with `label`.
std::string line_of(const std::string& text, const std::string& label) {
  const std::size_t begin = text.find("\n" + label);
  return begin == std::string::npos
             ? ""
             : text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
}

}  // namespace

BOOST_DATA_TEST_CASE(a_configuration_passes_a_dry_run, boost::unit_test::data::make(all_configs()),
                     name) {
  const std::string text = dry_run(name);
  for (const char* part : {"parameters", "FLOP", "memory", "forwards per clip"})
    BOOST_TEST((text.find(part) != std::string::npos), part << " is missing\n" << text);
}

BOOST_DATA_TEST_CASE(a_row_of_a_table_has_its_configuration, boost::unit_test::data::make(kRows),
                     row) {
  const std::string text = dry_run(std::string("paper/") + row.name + ".ini");
  const auto has = [&](const std::string& label, const std::string& part) {
    BOOST_TEST((line_of(text, label).find(part) != std::string::npos), label << " should have '"
                                                                             << part << "'\n"
                                                                             << text);
  };
  has("model", std::string(row.parameters) + " parameters");
  has("first step", row.first);
  has("last step", row.last);
  BOOST_TEST((text.find("settings without effect") == std::string::npos), text);
}

BOOST_AUTO_TEST_CASE(every_configuration_of_the_paper_is_a_row) {
  std::size_t found = 0;
  for (const std::string& name : all_configs()) found += name.starts_with("paper/") ? 1 : 0;
  BOOST_TEST(found == std::size(kRows));
}
