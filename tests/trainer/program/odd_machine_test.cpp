// The program where something is not as usual: input that is no file, a plugin path that somebody
// set, a compiler that takes its time.
#define BOOST_TEST_MODULE odd_machine
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "eflow/io/dataset/npy.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/trainer/program/program.hpp"

using namespace eflow;

namespace {

void write_clips(const std::filesystem::path& path) {
  std::vector<unsigned char> values(8 * 4 * 16 * 16 * 3);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<unsigned char>(i * 7);
  io::write_npy(path, DType::kU8, {8, 4, 16, 16, 3}, std::as_bytes(std::span(values)));
}

constexpr const char* kTiny =
    " --model.dim=32 --model.heads=2 --model.encoder=1 --model.middle=1 --model.decoder=1"
    " --train.batch=4 --optim.warmup=2 --sample.every=0 --eval.every=0 --train.iterations=2";

}  // namespace

BOOST_AUTO_TEST_CASE(a_fifo_or_a_device_is_refused_at_once) {
  const test::TempDir dir;
  BOOST_REQUIRE(mkfifo((dir / "fifo").c_str(), 0600) == 0);
  for (const std::string& input : {(dir / "fifo").string(), std::string("/dev/zero")}) {
    const Outcome said =
        eflow_says("data pack --videos " + input + " --out " + (dir / "set").string());
    BOOST_TEST(said.code != 0);
    BOOST_TEST(said.text.find("not a regular file") != std::string::npos, said.text);
  }
}

BOOST_AUTO_TEST_CASE(a_plugin_path_loads_nothing) {
  const test::TempDir dir;
  std::ofstream(dir / "evil.c")
      << "#include <stdio.h>\n"
         "__attribute__((constructor)) static void f(void) { fclose(fopen(\""
      << (dir / "loaded").string() << "\", \"w\")); }\n";
  const std::string compile =
      "cc -shared -fPIC -o " + (dir / "libevil.so").string() + " " + (dir / "evil.c").string();
  if (std::system(compile.c_str()) != 0) return;  // no C compiler
  write_clips(dir / "v.npy");
  setenv("HDF5_PLUGIN_PATH", dir.path().c_str(), 1);
  const Outcome packed = eflow_says("data pack --videos " + (dir / "v.npy").string() + " --out " +
                                    (dir / "set").string());
  const Outcome trained = eflow_says("train --data " + (dir / "set").string() + " --out " +
                                     (dir / "run").string() + kTiny);
  unsetenv("HDF5_PLUGIN_PATH");
  BOOST_TEST(packed.code == 0, packed.text);
  BOOST_TEST(trained.code == 0, trained.text);
  BOOST_TEST(!std::filesystem::exists(dir / "loaded"));
}

BOOST_AUTO_TEST_CASE(a_stop_does_not_wait_for_a_compiler) {
  const test::TempDir dir;
  write_clips(dir / "v.npy");
  BOOST_REQUIRE(eflow_says("data pack --videos " + (dir / "v.npy").string() + " --out " +
                           (dir / "set").string())
                    .code == 0);
  std::ofstream(dir / "cxx")
      << "#!/bin/sh\n"
         "[ \"$1\" = -v ] && { echo 'gcc version 1'; echo 'Target: x'; exit; }\n"
         "touch "
      << (dir / "compiling").string() << "\nsleep 100\n";
  chmod((dir / "cxx").c_str(), 0755);
  setenv("EFLOW_CXX", (dir / "cxx").c_str(), 1);
  setenv("EFLOW_CACHE_DIR", (dir / "cache").c_str(), 1);
  const pid_t pid = start_eflow("train --data " + (dir / "set").string() + " --out " +
                                (dir / "run").string() + kTiny);
  unsetenv("EFLOW_CXX");
  unsetenv("EFLOW_CACHE_DIR");
  for (int i = 0; i < 1000 && !std::filesystem::exists(dir / "compiling"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  BOOST_REQUIRE(std::filesystem::exists(dir / "compiling"));
  const auto begin = std::chrono::steady_clock::now();
  kill(pid, SIGTERM);
  BOOST_TEST(wait_for(pid) == 75);
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(50)));
}
