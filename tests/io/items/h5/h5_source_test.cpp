// Foreign HDF5 files: right values of every type and layout; whatever a file does to HDF5, a crash,
// an endless loop, endless memory, is an error with its name, in a process of its own.
#define BOOST_TEST_MODULE h5_source
#include "eflow/io/items/h5/h5_source.hpp"

#include <hdf5.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "eflow/core/base/stopwatch.hpp"
#include "eflow/io/items/h5/isolated.hpp"
#include "eflow/tests/io/item_files.hpp"

using namespace eflow;
using namespace eflow::test;

namespace {

/// A file made with the C interface of HDF5.
class H5Writer {
 public:
  explicit H5Writer(const fs::path& path)
      : file_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~H5Writer() { H5Fclose(file_); }
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;

  /// chunk: rows in a chunk, 0: contiguous. `stored`: the type in the file.
  template <class T>
  void add(const char* name, hid_t memory, hid_t stored, std::vector<hsize_t> sizes,
           const std::vector<T>& values, hsize_t chunk = 0, bool compress = false) {
    const hid_t space = H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
    const hid_t plan = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk > 0) {
      sizes[0] = chunk;
      H5Pset_chunk(plan, static_cast<int>(sizes.size()), sizes.data());
    }
    if (compress) H5Pset_shuffle(plan), H5Pset_deflate(plan, 4), H5Pset_fletcher32(plan);
    const hid_t set = H5Dcreate2(file_, name, stored, space, H5P_DEFAULT, plan, H5P_DEFAULT);
    H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(set), H5Pclose(plan), H5Sclose(space);
  }
  [[nodiscard]] hid_t file() const { return file_; }

 private:
  hid_t file_;
};

hid_t small_float(std::size_t exponent, std::size_t mantissa) {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, mantissa, exponent, 0, mantissa);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, (std::size_t{1} << (exponent - 1)) - 1);
  return type;
}

AllItems read(const fs::path& path, const io::H5Options& options) {
  io::H5Source source(path, options);
  AllItems first = read_all(source);
  source.rewind();
  BOOST_TEST(read_all(source).items.size() == first.items.size());
  return first;
}

std::string refusal(const fs::path& path, const io::H5Options& options) {
  std::string text = text_of<Error>([&] { read(path, options); });
  BOOST_TEST(has(text, path.string()), "names the file: " << text);
  return text;
}

void write_good(const fs::path& path) {
  H5Writer file(path);
  const std::vector<float> values = exact_values(24, 1);
  file.add("/f32", H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, {4, 2, 3}, values, 1, true);
  file.add("/labels", H5T_NATIVE_INT, H5T_STD_I16BE, {4}, std::vector<int>{3, 1, 2, 0});
}

}  // namespace

BOOST_AUTO_TEST_CASE(types_layouts_and_filters) {
  const TempDir dir;
  const std::vector<float> values = exact_values(24, 1);
  {
    H5Writer out(dir / "a.h5");
    const hid_t half = small_float(5, 10), brain = small_float(8, 7);
    out.add("/f32", H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, {4, 2, 3}, values, 1, true);
    out.add("/f64", H5T_NATIVE_FLOAT, H5T_IEEE_F64LE, {4, 2, 3}, values, 3);
    out.add("/f16", H5T_NATIVE_FLOAT, half, {4, 2, 3}, values);
    out.add("/bf16", H5T_NATIVE_FLOAT, brain, {4, 2, 3}, values, 4, true);
    out.add("/labels", H5T_NATIVE_INT, H5T_STD_I16BE, {4}, std::vector<int>{3, 1, 2, 0});
    out.add("/context", H5T_NATIVE_FLOAT, H5T_IEEE_F32LE, {4, 3, 2}, values, 2);
    out.add("/three", H5T_NATIVE_INT, H5T_STD_I32LE, {3}, std::vector<int>{1, 2, 3});
    H5Tclose(half), H5Tclose(brain);
  }
  for (const char* path : {"/f32", "/f64", "/f16", "/bf16"}) {
    const AllItems all =
        read(dir / "a.h5", {.clip = path, .labels = "/labels", .context = "/context"});
    BOOST_REQUIRE(all.items.size() == 4);
    std::vector<float> found, context;
    for (const io::Item& item : all.items) {
      for (const float v : floats_of(item.clip)) found.push_back(v);
      for (const float v : floats_of(*item.captions.at(0).embedding)) context.push_back(v);
    }
    BOOST_TEST(found == values, boost::test_tools::per_element());
    BOOST_TEST(context == values, boost::test_tools::per_element());
    BOOST_TEST(all.items[0].label.value() == 3);
    BOOST_TEST(all.items[2].source == "a.h5#2");
    BOOST_TEST((all.items[1].clip.shape == Shape{2, 3}));
  }
  BOOST_TEST(has(refusal(dir / "a.h5", {.clip = "/none"}), "it has /bf16, /context, /f16, /f32"));
  BOOST_TEST(has(refusal(dir / "a.h5", {.clip = "/labels"}), "i16"));
  BOOST_TEST(has(refusal(dir / "a.h5", {.clip = "/f32", .labels = "/f64"}), "expected integers"));
  BOOST_TEST(has(refusal(dir / "a.h5", {.clip = "/f32", .labels = "/three"}), "3 rows"));
}

/// None of these is followed or run.
BOOST_AUTO_TEST_CASE(links_to_other_files_and_odd_types_are_refused) {
  const TempDir dir;
  spill(dir / "secret", std::string(64, 's'));
  {
    H5Writer out(dir / "a.h5");
    H5Lcreate_external((dir / "other.h5").c_str(), "/x", out.file(), "external", H5P_DEFAULT,
                       H5P_DEFAULT);
    H5Lcreate_soft("/f32", out.file(), "soft", H5P_DEFAULT, H5P_DEFAULT);
    const hsize_t sizes[] = {4, 4};
    const hid_t space = H5Screate_simple(2, sizes, nullptr);
    const auto create = [&](const char* name, hid_t type, hid_t plan) {
      H5Dclose(H5Dcreate2(out.file(), name, type, space, H5P_DEFAULT, plan, H5P_DEFAULT));
    };
    const hid_t stored_outside = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(stored_outside, (dir / "secret").c_str(), 0, 64);
    create("outside", H5T_IEEE_F32LE, stored_outside);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    create("text", text, H5P_DEFAULT);
    create("big_endian", H5T_IEEE_F32BE, H5P_DEFAULT);
    const hid_t nbit = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(nbit, 2, sizes), H5Pset_nbit(nbit);
    create("nbit", H5T_IEEE_F32LE, nbit);
    const hid_t virtual_plan = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_virtual(virtual_plan, space, (dir / "other.h5").c_str(), "/x", space);
    create("virtual", H5T_IEEE_F32LE, virtual_plan);
    H5Pclose(stored_outside), H5Pclose(nbit), H5Pclose(virtual_plan), H5Tclose(text),
        H5Sclose(space);
  }
  for (const auto& [path, part] :
       std::vector<std::pair<const char*, const char*>>{{"/external", "external link"},
                                                        {"/soft", "soft"},
                                                        {"/outside", "stored in other files"},
                                                        {"/text", "holds strings"},
                                                        {"/big_endian", "little-endian"},
                                                        {"/nbit", "filter 5"},
                                                        {"/virtual", "virtual"},
                                                        {"f32", "no array"},
                                                        {"/", "no array"},
                                                        {"/soft/../f32", "soft"}}) {
    const std::string said = refusal(dir / "a.h5", {.clip = path});
    BOOST_TEST(has(said, part), path << ": " << said);
  }
  spill(dir / "b.h5", "no HDF5 file");
  BOOST_TEST(has(refusal(dir / "b.h5", {.clip = "/x"}), "H5Fopen"));
}

/// Damage at any byte gives the right values or an error, never a crash of this process.
BOOST_AUTO_TEST_CASE(damaged_files) {
  const TempDir dir;
  write_good(dir / "good.h5");
  const std::string good = slurp(dir / "good.h5");
  std::mt19937 random(11);
  int failed = 0;
  constexpr int kRounds = 150;
  for (int round = 0; round < kRounds; ++round) {
    std::string bad = good;
    if (round % 5 == 0) {
      bad.resize(random() % good.size());
    } else {
      for (int i = 0; i < 1 + round % 8; ++i)
        bad[random() % bad.size()] = static_cast<char>(random());
    }
    spill(dir / "bad.h5", bad);
    try {
      io::H5Source source(dir / "bad.h5", {.clip = "/f32", .labels = "/labels", .seconds = 20});
      for (const io::Item& item : read_all(source).items)
        BOOST_TEST(item.clip.bytes.size() <= std::size_t{1} << 20);
    } catch (const Error& error) {
      ++failed;
      BOOST_TEST(has(error.what(), "bad.h5"), error.what());
    }
  }
  BOOST_TEST(failed > kRounds / 5);
}

namespace {

std::string run_isolated(const std::function<void(io::Sender&)>& f, io::IsolationLimits limits = {},
                         std::uint64_t limit = 100) {
  return text_of<CorruptData>([&] {
    io::IsolatedProcess process("FILE", f, limits);
    io::Message message;
    while (process.receive(message, limit)) {
    }
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(whatever_happens_there_is_an_error_here) {
  BOOST_TEST(run_isolated([](io::Sender& sender) { sender.send(1, "fine"); }).empty());
  BOOST_TEST(has(run_isolated([](io::Sender&) { ::raise(SIGSEGV); }), "FILE: reading it crashed"));
  BOOST_TEST(has(run_isolated([](io::Sender&) { std::abort(); }), "crashed (Aborted)"));
  BOOST_TEST(has(run_isolated([](io::Sender&) { ::_exit(3); }), "ended early"));
  BOOST_TEST(has(run_isolated([](io::Sender&) { throw InvalidArgument("bad\x1b[31m type"); }),
                 "FILE: bad?[31m type"));
  const Stopwatch watch;
  BOOST_TEST(has(run_isolated(
                     [](io::Sender&) {
                       for (;;) ::usleep(1000);
                     },
                     {.seconds = 0.3}),
                 "takes more than 0.3 s"));
  // Half a message, then silence.
  BOOST_TEST(has(run_isolated(
                     [](io::Sender& sender) {
                       sender.send(1, "fine");
                       for (;;) ::usleep(1000);
                     },
                     {.seconds = 0.3}),
                 "takes more than"));
  BOOST_TEST(watch.seconds() < 60);
}

BOOST_AUTO_TEST_CASE(memory_is_bounded_on_both_sides) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  BOOST_TEST_MESSAGE("skipped: sanitizers reserve address space of their own");
#else
  const std::string said = run_isolated(
      [](io::Sender&) {
        std::vector<std::string> kept;
        for (int i = 0; i < 1000; ++i) kept.emplace_back(std::size_t{1} << 24, 'x');
      },
      {.memory_bytes = 256 << 20});
  BOOST_TEST(has(said, "more memory than allowed"), said);
#endif
  // What it sends at once is bounded before it is allocated here.
  const std::string large =
      run_isolated([](io::Sender& sender) { sender.send(1, std::string(1 << 20, 'x')); });
  BOOST_TEST(has(large, "1048576 bytes at once; expected at most 100"), large);
}
