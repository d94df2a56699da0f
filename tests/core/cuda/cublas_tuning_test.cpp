// Tuning cuBLASLt's algorithms, with a fake library and simulated times: the winner is recorded,
// and the next process uses it if it is still valid.
#define BOOST_TEST_MODULE cublas_tuning
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "eflow/core/cuda/product_key.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tuning/tunable_kernels.hpp"
#include "eflow/core/tuning/tunable_products.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/jit/tune/tuner.hpp"
#include "eflow/tests/kernels_src/gemm_problem.hpp"
#include "eflow/tests/support/cuda/fake_cublas.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"
#include "eflow/tests/support/temp_dir.hpp"
#include "eflow/tests/support/warnings.hpp"
#include "eflow/trainer/program/jit/commands.hpp"

using namespace eflow;
using detail::lt_problem;
using test::FakeCublas;
using test::RecordingDriver;

namespace {

constexpr std::int64_t kM = 40, kN = 24, kK = 16;

/// A machine with a GPU and a cache. The third algorithm is the fastest; the second is wrong.
struct Session {
  test::TempDir dir;
  RecordingDriver driver;
  FakeCublas cublas;
  jit::CudaApi cuda_api = RecordingDriver::api();
  jit::CublasApi cublas_api = FakeCublas::api();
  std::vector<double> seconds{1, 0.1, 0.5, 0.99};  ///< per launch, by algorithm
  jit::Options options;

  Session() {
    cublas.algorithms = 4;
    cublas.wrong = {FakeCublas::kFirst + 1};
    options.cache.named = dir / "cache";
    options.cuda = &cuda_api;
    options.cublas = &cublas_api;
    options.device = "cuda";
  }

  /// Computes y = x w^T of ones in a new process and returns the algorithm used.
  std::uint64_t algorithm_taken(std::int64_t rows = kM) {
    const DevicePtr device = make_device(options);
    const Tensor x = Tensor::from(std::vector<float>(static_cast<std::size_t>(rows * kK), 1),
                                  {rows, kK}, device);
    const Tensor w = Tensor::from(std::vector<float>(kN * kK, 1), {kN, kK}, device);
    const std::vector<float> y = linear(x, w).to_vector<float>();
    BOOST_TEST(y == std::vector<float>(y.size(), static_cast<float>(kK)));
    return cublas.last_algorithm;
  }

  jit::TuneOutcome tune(bool again = false) {
    const jit::TunableKernel product = detail::tunable_product();
    const jit::KernelRef kernel =
        product_kernel(DType::kF32, DType::kF32, false, true, ProductEnd::kPlain);
    jit::Runtime runtime(options);
    const jit::Workload workload = product.workload(runtime, kernel.spec, {kM, kN, kK, 1});
    jit::TuneOptions how;
    how.again = again;
    how.clock = [this](const jit::Workload&, const jit::KernelSpec& spec, int count) {
      const auto choice = static_cast<std::size_t>(spec.constants[detail::kProductChoice]);
      return seconds.at(choice) * count * (1 + 1e-4 * (timed++ % 7));
    };
    return jit::tune(runtime, kernel, workload, how);
  }
  int timed = 0;
};

constexpr std::uint64_t kDefault = FakeCublas::kFirst, kFastest = FakeCublas::kFirst + 2;

/// Rewrites the only record so that this algorithm wins, as if imported from another machine.
void let_win(const Session& s, std::uint64_t algorithm) {
  const jit::TuningDatabase database(s.dir / "cache");
  for (jit::TuningRecord& record : database.all()) {
    for (std::size_t i = 0; i < record.configs.size(); ++i) {
      if (detail::algo_of(record.configs[i].values).data[0] != algorithm) continue;
      record.best = static_cast<int>(i);
      database.put(record);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_fastest_that_is_right_is_taken_by_the_next_process) {
  Session s;
  BOOST_TEST(s.algorithm_taken() == kDefault);
  const jit::TuneOutcome tuned = s.tune();
  BOOST_TEST(tuned.record.configs.size() == 4u);
  BOOST_TEST(tuned.record.best == 2);
  BOOST_TEST(tuned.record.gain == 0.5, boost::test_tools::tolerance(0.01));
  BOOST_TEST(tuned.record.text == "cuBLASLt 130000");
  BOOST_TEST(name_of(tuned.record.configs[1].state) == "wrong");
  BOOST_TEST(tuned.record.configs[2].label == "algorithm 79, tile 4, stages 4, split-k 4");
  BOOST_TEST(s.algorithm_taken() == kFastest);
  BOOST_TEST(s.algorithm_taken(kM - 7) == kFastest);  // same bucket
  BOOST_TEST(s.algorithm_taken(4 * kM) == kDefault);  // another bucket
  s.timed = 0;
  BOOST_TEST(s.tune().known);
  BOOST_TEST(s.timed == 0);
  s.options.tune = jit::TuneMode::kOff;
  BOOST_TEST(s.algorithm_taken() == kDefault);
}

BOOST_AUTO_TEST_CASE(the_librarys_choice_stays_within_three_percent) {
  Session s;
  s.seconds = {1, 0.1, 0.98, 0.99};
  BOOST_TEST(s.tune().record.best == 0);
  BOOST_TEST(s.algorithm_taken() == kDefault);
  s.seconds = {1, 0.1, 0.98, 0.9};
  BOOST_TEST(s.tune(true).record.best == 3);
  BOOST_TEST(s.algorithm_taken() == kDefault + 3);
}

BOOST_AUTO_TEST_CASE(candidates_add_up_in_a_fixed_order) {
  Session s;
  static_cast<void>(s.tune());
  BOOST_TEST(s.cublas.last_preference.get<std::uint32_t>(jit::lt::kReductionSchemes) ==
             jit::lt::kFixedOrderReductions);
  for (int i = 0; i < 4; ++i)  // candidates must work for the alignment that the record states
    BOOST_TEST(s.cublas.last_preference.get<std::uint32_t>(jit::lt::kAlignmentA + i) == 16u);
}

BOOST_AUTO_TEST_CASE(what_does_not_serve_is_not_taken_and_says_so_once) {
  Session s;
  static_cast<void>(s.tune());
  const auto expect_default = [&](const char* why) {
    const test::Warnings heard(LogLevel::kInfo);
    BOOST_TEST(s.algorithm_taken() == kDefault, why);
    BOOST_TEST(heard.count_with(why) == 1, why);
  };
  s.cublas.refused = {kFastest};
  expect_default("cublasLtMatmulAlgoCheck refuses it");
  s.cublas.refused.clear();
  s.cublas.workspace = std::size_t{1} << 40;
  expect_default("of workspace");
  s.cublas.workspace = 0;
  s.cublas.unordered = {kFastest};
  expect_default("no fixed order");
  s.cublas.unordered.clear();
  BOOST_TEST(s.algorithm_taken() == kFastest);

  s.cublas.version = 130100;
  expect_default("tuned with cuBLASLt 130000, this is cuBLASLt 130100");
  s.seconds = {1, 0.1, 0.9, 0.5};
  BOOST_TEST(s.tune().record.best == 3);  // tuned again: the old times are from another version
  BOOST_TEST(s.algorithm_taken() == kDefault + 3);
}

BOOST_AUTO_TEST_CASE(a_record_that_is_no_algorithm_is_not_there) {
  Session s;
  static_cast<void>(s.tune());
  let_win(s, kDefault + 1);  // a wrong algorithm
  BOOST_TEST(s.algorithm_taken() == kDefault);
  const jit::TuningDatabase database(s.dir / "cache");
  jit::TuningRecord record = database.all().at(0);
  record.best = 2;
  record.tunables[0] = "other";
  database.put(record);
  BOOST_TEST(s.algorithm_taken() == kDefault);
}

/// Each of these properties affects the choice of an algorithm, so it is part of the key.
BOOST_AUTO_TEST_CASE(kinds_of_products_have_keys_of_their_own) {
  const auto spec_of = [](const test::Case& c) {
    const test::Problem<float, float> p(c);
    auto problem = lt_problem(p.g, DType::kF32, DType::kF32, 0, true).value();
    for (int& alignment : problem.alignment) alignment = 256;
    return product_spec(problem);
  };
  const auto text = [](const jit::KernelSpec& spec) { return to_string(spec, detail::kProduct); };
  const test::Case plain{.m = 40, .n = 24, .k = 16};
  BOOST_TEST(text(spec_of(plain)) == "cublaslt<f32, f32>()");
  test::Case c = plain;
  c.a_transposed = true;
  BOOST_TEST(text(spec_of(c)) == "cublaslt<f32, f32>(1)");
  c = plain;
  c.b_transposed = c.bias = true;
  BOOST_TEST(text(spec_of(c)) == "cublaslt<f32, f32>(0, 1, 1)");
  BOOST_TEST(text(product_kernel(DType::kF32, DType::kF32, false, true, ProductEnd::kBias).spec) ==
             "cublaslt<f32, f32>(0, 1, 1)");
  c = plain;
  c.gelu = true;
  BOOST_TEST(text(spec_of(c)) == "cublaslt<f32, f32>(0, 0, 6)");
  c = plain;
  c.gelu_gradient = true;
  BOOST_TEST(text(spec_of(c)) == "cublaslt<f32, f32>(0, 0, 12)");
  BOOST_TEST(text(product_kernel(DType::kF32, DType::kF32, false, false, ProductEnd::kGeluGradient)
                      .spec) == "cublaslt<f32, f32>(0, 0, 12)");
  c = plain;
  c.gap = 4;
  BOOST_TEST(text(spec_of(c)) == "cublaslt<f32, f32>(0, 0, 0, 0, 7)");
  c = plain;
  c.batch0 = 3;
  c.a_transposed = c.b_shared = true;
  BOOST_TEST(text(spec_of(c)) == "cublaslt<f32, f32>(1, 0, 0, 0, 0, 2)");

  const test::Problem<float, float> p(plain);
  const auto exact = lt_problem(p.g, DType::kF32, DType::kF32, 0, false).value();
  BOOST_TEST(product_spec(exact).constants[detail::kProductExact] == 1);
  auto narrow = lt_problem(p.g, DType::kF32, DType::kF32, 0, true).value();
  for (int& alignment : narrow.alignment) alignment = 256;
  narrow.alignment[1] = 8;  // of our A
  narrow.alignment[2] = 4;  // of the addend, here C
  BOOST_TEST(product_spec(narrow).constants[detail::kProductNarrow] == (1 | 2 << 6));
  BOOST_TEST((product_shape(narrow) == jit::ShapeBucket{40, 24, 16, 1}));
}

/// The operands that the tuner generates for a key have that key.
BOOST_AUTO_TEST_CASE(trials_are_what_their_names_say) {
  Session s;
  const jit::TunableKernel product = detail::tunable_product();
  jit::Runtime runtime(s.options);
  for (const char* name :
       {"cublaslt<f32, f32>(0, 1, 1)", "cublaslt<f32, f32>(1, 0, 7)",
        "cublaslt<bf16, f32>(1, 1, 1, 0, 7)", "cublaslt<f64, f64>(0, 0, 1, 0, 2, 2)",
        "cublaslt<f32, f32>(0, 0, 0, 1, 0, 1)", "cublaslt<bf16, bf16>(0, 0, 0, 0, 0, 0, 203)"}) {
    const jit::KernelSpec spec = jit::parse_kernel(name).spec;
    const jit::Workload work = product.workload(runtime, spec, {40, 24, 16, 3});
    work.clear();
    BOOST_TEST(std::isnan(work.result().at(0)), name);
    work.launch(spec);
    const std::vector<double> result = work.result();
    BOOST_TEST(result.size() == 3u * 40 * 24, name);
    for (const double x : result) BOOST_REQUIRE(std::isfinite(x));
    jit::KernelSpec fourth = spec;
    fourth.constants[detail::kProductChoice] = 3;
    work.launch(fourth);
    BOOST_TEST(s.cublas.last_algorithm == kDefault + 3, name);
  }
  for (const char* wrong : {"cublaslt<i32, i32>()", "cublaslt<f32, bf16>()",
                            "cublaslt<f32, f32>(2)", "cublaslt<f32, f32>(0, 0, 0, 0, 0, 0, 3)"})
    BOOST_CHECK_THROW((void)product.workload(runtime, jit::parse_kernel(wrong).spec, {4, 4, 4, 1}),
                      InvalidArgument);
  s.options.cublas = nullptr;
  s.options.cublas_library = "off";
  jit::Runtime without(s.options);
  BOOST_CHECK_THROW(
      (void)product.workload(without, jit::KernelSpec("cublaslt", {DType::kF32, DType::kF32}),
                             {4, 4, 4, 1}),
      InvalidArgument);
}

BOOST_AUTO_TEST_CASE(the_command_tunes_shows_and_times_them) {
  Session s;
  const auto run = [&](const std::vector<std::string>& args) {
    std::ostringstream out;
    BOOST_TEST(jit::run_jit_command(args, out, s.options, tunable_kernels()) == 0, out.str());
    return out.str();
  };
  const auto says = [](const std::string& text, const char* part) {
    BOOST_TEST(text.find(part) != std::string::npos, text);
  };
  const std::vector<std::string> sizes{"--sizes", "m=40,n=24,k=16", "--budget-s", "20"};
  std::vector<std::string> args{"tune", "run", "cublaslt<f32, f32>(0, 1)"};
  args.insert(args.end(), sizes.begin(), sizes.end());
  const std::string tuned = run(args);
  says(tuned, "tuning cublaslt<f32, f32>(0, 1) --sizes m=40,n=24,k=16,problems=1");
  says(tuned, "4 algorithms of cuBLASLt 130000");
  says(tuned, "algorithm 78, tile 4, stages 4, split-k 4: wrong: its results differ");
  const std::string shown = run({"tune", "show"});
  says(shown, "cublaslt<f32, f32>(0, 1) for sizes (32, 64] x (16, 32] x (8, 16] x (0, 1]");
  says(shown, "algorithm 80, tile 4, stages 4, split-k 4");
  const std::string file = s.dir / "tuned.json";
  says(run({"tune", "export", file}), "1 records");
  args[0] = "bench";
  args.erase(args.begin() + 1);
  says(run(args), "GFLOP/s");

  // Imported from another machine's file.
  s.options.cache.named = s.dir / "other";
  says(run({"tune", "import", file}), "1 records imported");
  says(run({"tune", "show"}), "algorithm 80");
}
