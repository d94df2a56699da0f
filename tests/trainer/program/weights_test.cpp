// eflow export and eflow import: a run that is exported and imported again generates the same clips,
// and its weights train on.
#define BOOST_TEST_MODULE weights
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <span>
#include <vector>

#include "eflow/core/base/shape.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/trainer/program/expectations.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;

namespace {

std::vector<float> samples_of(const std::string& run, const std::filesystem::path& out) {
  done("sample --count 3 --steps 3 --sampler compose --shift 2 --run " + run + " --out " +
       out.string());
  const io::NpyFile file(out / "samples.npy");
  std::vector<float> values(static_cast<std::size_t>(element_count(file.shape())));
  file.read_rows(0, file.rows(), std::as_writable_bytes(std::span(values)));
  return values;
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_exported_run_is_imported_again) {
  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  const std::string train =
      "train --config " EFLOW_CONFIGS
      "/exact-mixture.ini --train.iterations=3 --train.batch=8 --eval.every=0 --optim.warmup=0 ";
  done(train +
       "--model.encoder=0 --model.middle=0 --model.decoder=3 --model.position_table=false --out " +
       at("run"));
  const std::string said = done("export --run " + at("run") + " --out " + at("exported"));
  BOOST_TEST((said.find("note: the fusion is joined") != std::string::npos), said);
  done("import --from anyflow --frames 4 --height 4 --width 4 --weights " + at("exported") +
       " --out " + at("again"));
  const auto before = samples_of(at("run"), folder.path() / "a"),
             after = samples_of(at("again"), folder.path() / "b");
  BOOST_REQUIRE(before.size() == after.size());
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    difference = std::max(difference, std::abs(double{before[i]} - after[i]));
    size = std::max(size, std::abs(double{before[i]}));
  }
  BOOST_TEST(size > 0.5);
  BOOST_TEST(difference < 1e-4);
  BOOST_TEST((done("inspect " + at("again")).find("patch.proj.weight") != std::string::npos));
  refused("import --from anyflow --weights " + at("exported") + " --out " + at("again"),
          "expected a new or empty folder");
  refused("import --from wan2.1 --weights " + at("exported") + " --out " + at("new"),
          "use --from anyflow");
  refused("export --label 1 --run " + at("run") + " --out " + at("new"), "has no classes");
  refused("export --guidance 3 --run " + at("run") + " --out " + at("new"),
          "does not take the guidance scale");
  done(train + "--out " + at("table"));
  refused("export --run " + at("table") + " --out " + at("new"),
          "model.position_table: expected false");
  BOOST_TEST(!std::filesystem::exists(folder.path() / "new"));
}

/// A killed or failed export leaves nothing in the way of the next one.
BOOST_AUTO_TEST_CASE(an_interrupted_export_is_repeated) {
  const TemporaryFolder folder;
  const auto at = [&](const char* name) { return (folder.path() / name).string(); };
  done("train --config " EFLOW_CONFIGS
       "/exact-mixture.ini --train.iterations=1 --train.batch=8 --eval.every=0 --optim.warmup=0 "
       "--model.encoder=0 --model.middle=0 --model.decoder=3 --model.position_table=false --out " +
       at("run"));
  const std::string words = "export --run " + at("run") + " --out " + at("exported");
  std::filesystem::create_directories(folder.path() /
                                      "exported.tmp-1-0/transformer");  // a killed one's
  std::filesystem::create_directories(folder.path() / "exported-by-hand");
  const int status =
      std::system(("ulimit -f 4; " EFLOW_PROGRAM " " + words + " >" + at("log") + " 2>&1").c_str());
  BOOST_TEST(code_of(status) == 8, content_of(at("log")));
  BOOST_TEST(!std::filesystem::exists(folder.path() / "exported"));
  done(words);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  BOOST_TEST((names == std::vector<std::string>{"exported", "exported-by-hand", "log", "run"}));
  refused(words, "expected a new or empty folder");
}
