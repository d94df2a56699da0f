// `eflow data pack` through the program: what its errors advise works, and nothing that others
// wrote is lost. The dry run and the training run name classes that the split leaves out.
#define BOOST_TEST_MODULE program_data
#include <boost/test/unit_test.hpp>
#include <span>
#include <vector>

#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/trainer/program/program.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"

using namespace eflow;
namespace fs = std::filesystem;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

template <class T>
void write_array(const fs::path& path, const Shape& shape, const std::vector<T>& values) {
  io::write_npy(path, dtype_of<T>(), shape, std::as_bytes(std::span(values)));
}

/// A folder with videos.npy [n, 4, 16, 16, 3] u8 and labels.npy, in the order of the classes.
struct WithArrays : TemporaryFolder {
  explicit WithArrays(std::int64_t classes, std::int64_t each) {
    const std::int64_t n = classes * each;
    std::vector<std::uint8_t> videos(static_cast<std::size_t>(n * 4 * 16 * 16 * 3));
    for (std::size_t i = 0; i < videos.size(); ++i) videos[i] = static_cast<std::uint8_t>(i * 7);
    write_array(path() / "videos.npy", {n, 4, 16, 16, 3}, videos);
    std::vector<std::int64_t> labels;
    for (std::int64_t i = 0; i < n; ++i) labels.push_back(i / each);
    write_array(path() / "labels.npy", {n}, labels);
  }
  [[nodiscard]] std::string file(const char* name) const { return (path() / name).string(); }
  [[nodiscard]] Outcome pack(const std::string& more = "", const char* out = "set") const {
    return eflow_says("data pack --videos " + file("videos.npy") + " --labels " +
                      file("labels.npy") + " --out " + file(out) + " " + more);
  }
};

void says(const Outcome& outcome, int code, const std::string& part) {
  BOOST_TEST(outcome.code == code, outcome.text);
  BOOST_TEST(contains(outcome.text, part), "should say: " << part << "\nsaid: " << outcome.text);
}

void write(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

BOOST_AUTO_TEST_CASE(files_of_others_are_kept_unless_told) {
  const WithArrays f(3, 4);
  fs::create_directories(f.path() / "set");
  write(f.path() / "set/shard-00000.h5", "of another program");
  says(f.pack(), 3, "set/shard-00000.h5: no shard of eflow");
  BOOST_TEST(content_of(f.path() / "set/shard-00000.h5") == "of another program");
  says(f.pack("--overwrite"), 0, "12 clips");
  says(f.pack("--fps 9"), 3, "already holds another data set");
  says(f.pack(), 0, "already complete");
  says(f.pack("--fps 9 --overwrite"), 0, "12 clips");
  says(eflow_says("data synth --size 8 --frames 2 --split held-out --out " + f.file("set")), 2,
       "--overwrite");
  says(eflow_says("data synth --size 8 --frames 2 --split held-out --overwrite --out " +
                  f.file("set")),
       0, "54 clips");
}

/// The advice of `data verify` and of reading errors: pack again.
BOOST_AUTO_TEST_CASE(a_damaged_set_is_repaired) {
  const WithArrays f(3, 4);
  says(f.pack(), 0, "12 clips");
  const fs::path shard = f.path() / "set/shard-00000.h5";
  const std::string whole = content_of(shard);
  for (const std::size_t at : {std::size_t{0}, std::size_t{70} /* the key */, whole.size() / 2}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    write(shard, damaged);
    says(eflow_says("data verify " + f.file("set")), 3, "shard-00000.h5");
    says(f.pack(), 0, "repaired");
    BOOST_TEST(content_of(shard) == whole);
    says(eflow_says("data verify " + f.file("set")), 0, "all checksums match");
  }
}

BOOST_AUTO_TEST_CASE(names_files_of_any_editor) {
  const WithArrays f(3, 4);
  write(f.path() / "names",
        "\xef\xbb\xbf"
        "cat\r\ndog\r\nred car\r\n\r\n");
  says(f.pack("--names " + f.file("names")), 0, "3 classes");
  says(eflow_says("data info " + f.file("set")), 0, "4 clips  red car\n");
  write(f.path() / "names", "cat\ncat\ndog\n");
  says(f.pack("--names " + f.file("names"), "other"), 3, "line 2: \"cat\" already names class 0");
  write(f.path() / "names", "caf\xe9\ndog\ncar\n");
  says(f.pack("--names " + f.file("names"), "other"), 3, "iconv");
}

BOOST_AUTO_TEST_CASE(floats_without_a_stated_range) {
  const WithArrays f(3, 4);
  const auto floats = [&](float scale, float offset) {
    std::vector<float> values(12 * 4 * 16 * 16 * 3);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(i % 256) / 255 * scale + offset;
    write_array(f.path() / "videos.npy", {12, 4, 16, 16, 3}, values);
  };
  floats(1, 0);
  says(f.pack(), 2, "--range unit or --range symmetric");
  says(f.pack("--range unit", "unit"), 0, "12 clips");
  says(f.pack("--range symmetric", "symmetric"), 0, "12 clips");
  floats(2, -1);
  says(f.pack(), 0, "taken for pixels in [-1, 1]; --range says otherwise");
  floats(255, 0);
  says(f.pack("", "large"), 2, "array / 255");
  says(f.pack("--range any", "any"), 0, "12 clips");
}

BOOST_AUTO_TEST_CASE(classes_that_the_split_leaves_out_are_named) {
  const WithArrays f(6, 2);
  says(f.pack("--classes 7"), 0, "7 classes");
  const std::string words = "train --config " EFLOW_CONFIGS "/tiny.ini --data " + f.file("set") +
                            " --out " + f.file("run") + " --train.iterations=2 ";
  const auto dry = eflow_says(words + "--dry-run");
  says(dry, 0, "1 of 7 classes has no training clips: 6\n");
  BOOST_TEST(contains(dry.text, "6 of 7 classes have no held-out clips"), dry.text);
  const auto last = eflow_says(words + "--dry-run --data.eval=last --data.eval-share=0.3");
  says(last, 0, "3 of 7 classes have no training clips: 4, 5, 6\n");
  says(eflow_says(words), 0, "warning: [data] 1 of 7 classes has no training clips: 6");
}

/// Runs of earlier versions withheld the last clips. They can go on.
BOOST_AUTO_TEST_CASE(the_split_is_part_of_a_run) {
  const WithArrays f(3, 8);
  says(f.pack(), 0, "24 clips");
  const std::string words = "train --config " EFLOW_CONFIGS "/tiny.ini --data " + f.file("set") +
                            " --out " + f.file("run") + " ";
  says(eflow_says(words + "--data.eval=last --train.iterations=2"), 0, "finished");
  const auto other = eflow_says(words + "--train.iterations=4");
  BOOST_TEST(other.code != 0, other.text);
  BOOST_TEST(contains(other.text, "--data.eval=last withholds them again"), other.text);
  says(eflow_says(words + "--data.eval=last --train.iterations=4"), 0, "finished at step 4");
}
