// `eflow data import`, `captions`, `merge` and `stats` through the program: from files of users to a
// data set that trains, with exit codes and everything that is said on the way.
#define BOOST_TEST_MODULE program_import
#include <boost/test/unit_test.hpp>

#include "eflow/tests/io/item_files.hpp"
#include "eflow/tests/trainer/program/program.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

std::string done(const std::string& words) {
  const Outcome outcome = eflow_says(words);
  BOOST_REQUIRE_MESSAGE(outcome.code == 0, words << "\n" << outcome.text);
  return outcome.text;
}

void refused(const std::string& words, int code, const std::string& part) {
  const Outcome outcome = eflow_says(words);
  BOOST_TEST(outcome.code == code, words << "\n" << outcome.text);
  BOOST_TEST(has(outcome.text, part), words << "\nshould say: " << part << "\n" << outcome.text);
}

/// clips/cat/ and clips/dog/ with five f16 latents [4, 2, 4, 4] each, and captions.
struct WithClips {
  WithClips() {
    for (const char* animal : {"cat", "dog"}) {
      fs::create_directories(dir / "clips" / animal);
      for (int i = 0; i < 5; ++i) {
        std::vector<float> values = exact_values(128, i + (animal[0] == 'd' ? 5 : 0));
        for (float& v : values) v += 2;
        const fs::path stem = dir / "clips" / animal / str(i);
        spill(stem.string() + ".npy", npy_bytes("<f4", "(4, 2, 4, 4)", raw(values)));
        spill(stem.string() + ".txt", str("a ", animal, " of kind ", i % 2, "\n"));
      }
    }
  }
  [[nodiscard]] std::string in(const std::string& name) const { return (dir / name).string(); }
  [[nodiscard]] std::string import(const std::string& more, const std::string& out = "set") const {
    return "data import " + in("clips") + " --layout NCTHW --out " + in(out) + " " + more;
  }
  const TempDir dir;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_folder_of_latents_trains, WithClips) {
  spill(dir / "clips/cat/bad.npy", "no array");
  const std::string said = done(import("--class-by-folder --latent-space measure"));
  BOOST_TEST(has(said, "10 clips [4, 2, 4, 4] f32, 2 classes"), said);
  BOOST_TEST(has(said, "skipped 1:\n  cat/bad.npy: "), said);
  BOOST_TEST(has(said, "10 clips have captions, which are left out"), said);
  refused(import("--strict", "none"), 3, "cat/bad.npy");
  BOOST_TEST(!fs::exists(dir / "none/manifest.json"));
  const std::string stats = done("data stats " + in("set") + " --out " + in("stats.json"));
  BOOST_TEST(has(stats, "duplicates  0"), stats);
  BOOST_TEST(!has(stats, "unnormalised"), stats);
  BOOST_TEST(has(done(import("--class-by-folder --latent-space " + in("stats.json"), "again")),
                 "10 clips"));
  BOOST_TEST(has(done("data stats " + in("again")), "duplicates  0"));
  done("train --config " EFLOW_CONFIGS "/tiny.ini --model.patch_h=2 --model.patch_w=2 --data " +
       in("set") + " --out " + in("run") +
       " --train.iterations=2 --sample.every=0 --train.batch=2");
}

BOOST_FIXTURE_TEST_CASE(unnormalised_latents_are_pointed_out, WithClips) {
  const std::string said = done(import(""));
  BOOST_TEST(has(said, "note: these latents look unnormalised"), said);
  BOOST_TEST(has(done("data stats " + in("set")), "warning: these latents look unnormalised"));
}

BOOST_FIXTURE_TEST_CASE(captions_are_listed_once_each, WithClips) {
  const std::string said = done("data captions " + in("clips") + " --out " + in("captions.jsonl"));
  BOOST_TEST(has(said, "captions of 10 of 10 clips"), said);
  const std::string lines = slurp(dir / "captions.jsonl");
  BOOST_TEST(lines.starts_with("{\"captions\":[\"a cat of kind 0\"]}\n"), lines);
  BOOST_TEST(std::count(lines.begin(), lines.end(), '\n') == 10);
  fs::remove_all(dir / "clips/cat");
  for (const auto& entry : fs::directory_iterator(dir / "clips/dog"))
    if (entry.path().extension() == ".txt") fs::remove(entry.path());
  refused("data captions " + in("clips") + " --out " + in("none"), 3,
          "none of 5 clips has a caption");
}

BOOST_FIXTURE_TEST_CASE(parts_in_processes_of_their_own, WithClips) {
  const std::string same = "--class-by-folder --names " + in("names");
  spill(dir / "names", "cat\ndog\n");
  const pid_t first = start_eflow(import(same + " --part 0/2", "part0"));
  const pid_t second = start_eflow(import(same + " --part 1/2", "part1"));
  BOOST_TEST(wait_for(first) == 0);
  BOOST_TEST(wait_for(second) == 0);
  BOOST_TEST(has(done("data merge " + in("part0") + " " + in("part1") + " --out " + in("all")),
                 "10 clips in 2 shards"));
  BOOST_TEST(has(done("data info " + in("all")), "5 clips  dog"));
  done("data verify " + in("all"));
  refused(import("--class-by-folder --part 0/2", "part2"), 3, "need the same classes");
  refused(import("--part 2/2", "part2"), 2, "--part: expected K/N");
  done(import("", "plain"));
  refused("data merge " + in("plain") + " --out " + in("all"), 3,
          "differ in number of classes: 2 and 0");
}

BOOST_FIXTURE_TEST_CASE(wrong_words, WithClips) {
  refused("data import --out " + in("set"), 2, "expected files or folders");
  refused("data import " + in("none") + " --out " + in("set"), 8, "no such file or folder");
  refused("data import " + in("clips") + " --out " + in("set"), 2, "--layout");
  refused(import("--latent-space wan3"), 2, "neither wan2.1, nor measure, nor a file");
  refused(import("--latent-space wan2.1"), 3, "has 16 channels, the clips have 4");
  refused(import("--shape 4,2,4"), 2, "expected 4 numbers");
  refused(import("--shape 4,2,4,5"), 3,
          "no clip has the shape [4, 2, 4, 5]; there are [4, 2, 4, 4] (10)");
  refused(import("--size 64"), 2, "--size: expected 2 numbers");
  refused(import("--dtype u8"), 3, "cannot be stored as u8");
  refused(import("--text " + in("none")), 8, "none");
  refused("data stats", 2, "expected a folder");
  refused("data merge --out " + in("x"), 2, "expected folders");
  for (const char* command : {"import", "captions", "merge", "stats"})
    BOOST_TEST(has(done(str("data ", command, " --help")), str("usage: eflow data ", command)));
}
