// Our kernels by name: timed, tuned, and then taken by the op that launches them.
#define BOOST_TEST_MODULE runnable_kernels
#include "eflow/core/runnable_kernels.hpp"

#include <boost/test/unit_test.hpp>
#include <sstream>

#include "eflow/base/error.hpp"
#include "eflow/core/ops.hpp"
#include "eflow/jit/commands.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/tuning_database.hpp"
#include "support/temp_dir.hpp"

using namespace eflow;

namespace {

std::string run(const jit::Options& options, const std::vector<std::string>& args) {
  std::ostringstream out;
  BOOST_TEST(jit::run_jit_command(args, out, options, runnable_kernels()) == 0, out.str());
  return out.str();
}

/// Makes a record's best config the one with these values, as if it had won.
void let_win(const test::TempDir& dir, const std::vector<int>& values) {
  const jit::TuningDatabase database(dir / "cache");
  std::vector<jit::TuningRecord> records = database.all();
  BOOST_REQUIRE(records.size() == 1u);
  records[0].best = records[0].find(values);
  BOOST_REQUIRE(records[0].best > 0);
  database.put(records[0]);
}

}  // namespace

BOOST_AUTO_TEST_CASE(gemm_is_tuned_and_the_op_takes_the_config) {
  const test::TempDir dir;
  jit::Options options;
  options.cache.named = dir / "cache";
  options.threads = 1;
  options.isa = jit::Isa::kBaseline;  // compiles fastest
  const std::vector<std::string> sizes{"--sizes", "m=60,n=70,k=800", "--budget-s", "0.5"};
  std::vector<std::string> args{"tune", "run", "gemm<f32, f32>()"};
  args.insert(args.end(), sizes.begin(), sizes.end());
  const std::string said = run(options, args);
  BOOST_TEST(said.find("chunk_bytes=1536") != std::string::npos, said);
  for (const char* state : {"wrong", "failed", "crashed"})
    BOOST_TEST(said.find(state) == std::string::npos, said);
  args = {"bench", "gemm<f32, f32>()", "gemm<f32, f32>(1536, 96)"};
  args.insert(args.end(), sizes.begin(), sizes.end());
  BOOST_TEST(run(options, args).find("GFLOP/s") != std::string::npos);

  let_win(dir, {1536, 96, 0});
  const jit::Spec tuned("gemm", {DType::kF32, DType::kF32}, {1536, 96, 0});
  const DevicePtr plain = make_cpu_device({.isa = options.isa, .threads = 1});
  const DevicePtr device = make_cpu_device(options);
  BOOST_TEST(!device->runtime().has(tuned));
  const auto product = [](const DevicePtr& on) {
    std::vector<float> a(60 * 800), b(800 * 70);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 17) - 8;
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 13) - 6;
    return matmul(Tensor::from(a, {60, 800}, on), Tensor::from(b, {800, 70}, on))
        .to_vector<float>();
  };
  BOOST_TEST(product(device) == product(plain), boost::test_tools::per_element());  // integers
  BOOST_TEST(device->runtime().has(tuned));
}

/// Each pair computes the same: the window as a constant and as an argument, and other tiles.
BOOST_AUTO_TEST_CASE(attention_is_timed_against_other_forms_of_itself) {
  const test::TempDir dir;
  jit::Options options;
  options.cache.named = dir / "cache";
  options.threads = 1;
  options.isa = jit::Isa::kBaseline;
  for (const char* other : {"(16, 1, 1, 1, 1, -1, 0, 32, 32)", "(16, 1, 1, 1, 1, 20, 0, 64, 32)"}) {
    const std::string said =
        run(options, {"bench", "glga_forward<f32>(16, 1, 1, 1, 1, 20, 0, 32, 32)",
                      std::string("glga_forward<f32>") + other, "--sizes",
                      "n=150,heads=2,radius=20", "--budget-s", "0.3"});
    BOOST_TEST(said.find("GFLOP/s") != std::string::npos, said);
    const std::size_t at = said.find("Their results differ by ");
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, said);
    BOOST_TEST(std::stod(said.substr(at + 24)) <= 1e-5, said);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_kernel_is_refused) {
  jit::Runtime runtime;
  const jit::RunnableKernel gemm = runnable_kernels()[0];
  BOOST_CHECK_THROW(
      (void)gemm.workload(runtime, jit::Spec("gemm", {DType::kI32, DType::kI32}), {1, 1, 1, 1}),
      InvalidArgument);
}
