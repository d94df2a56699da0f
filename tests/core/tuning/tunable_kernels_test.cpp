// Named kernels are timed and tuned, and the ops then launch the tuned configs.
#define BOOST_TEST_MODULE tunable_kernels
#include "eflow/core/tuning/tunable_kernels.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <sstream>
#include <string_view>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/autograd.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"
#include "eflow/tests/support/jit/jit_options.hpp"
#include "eflow/trainer/program/jit/commands.hpp"

using namespace eflow;

namespace {

constexpr std::string_view kDifference = "Their results differ by at most ";

jit::TunableKernel kernel_named(const std::string& name) {
  const std::vector<jit::TunableKernel> all = tunable_kernels();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const auto& kernel) { return kernel.definition.name == name; });
  BOOST_REQUIRE(found != all.end());
  return *found;
}

std::string run(const jit::Options& options, const std::vector<std::string>& args) {
  std::ostringstream out;
  BOOST_TEST(jit::run_jit_command(args, out, options, tunable_kernels()) == 0, out.str());
  return out.str();
}

/// Rewrites the only tuning record of a kernel so that the config with these values is the best.
void let_win(const test::TempDir& dir, const std::string& kernel, const std::vector<int>& values) {
  const jit::TuningDatabase database(dir / "cache");
  int found = 0;
  for (jit::TuningRecord& record : database.all()) {
    if (record.key.kernel.name != kernel) continue;
    ++found;
    record.best = record.find(values);
    BOOST_REQUIRE(record.best > 0);
    record.finished = true;  // the short time limit of a test may have cut the race
    database.put(record);
  }
  BOOST_REQUIRE(found == 1);
}

}  // namespace

BOOST_AUTO_TEST_CASE(gemm_is_tuned_and_the_op_takes_the_config) {
  const test::TempDir dir;
  const jit::Options options = test::quick_options(dir);
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

  let_win(dir, "gemm", {1536, 96, 0});
  const jit::KernelSpec tuned("gemm", {DType::kF32, DType::kF32}, {1536, 96, 0});
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

/// The two Specs of a pair compute the same function: radius as a constant or an argument,
/// different tiles.
BOOST_AUTO_TEST_CASE(attention_is_timed_against_other_forms_of_itself) {
  const test::TempDir dir;
  const jit::Options options = test::quick_options(dir);
  for (const char* other : {"(16, 1, 1, 1, 1, -1, 0, 32, 32)", "(16, 1, 1, 1, 1, 20, 0, 64, 32)"}) {
    const std::string said =
        run(options, {"bench", "glga_forward<f32>(16, 1, 1, 1, 1, 20, 0, 32, 32)",
                      std::string("glga_forward<f32>") + other, "--sizes",
                      "n=150,heads=2,radius=20", "--budget-s", "0.3"});
    BOOST_TEST(said.find("GFLOP/s") != std::string::npos, said);
    const std::size_t at = said.find(kDifference);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, said);
    BOOST_TEST(std::stod(said.substr(at + kDifference.size())) <= 1e-5, said);
  }
}

namespace {

struct Attention {
  std::vector<float> out, dq, dk, dv;
};

/// A call with 150 tokens, two heads of 16 channels, and irregular values.
Attention attention_on(const DevicePtr& device) {
  std::vector<Tensor> x;
  for (const Shape& shape :
       {Shape{1, 150, 2, 16}, Shape{1, 150, 2, 16}, Shape{1, 150, 2, 16}, Shape{1, 150, 2, 1, 1}}) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(std::sin(static_cast<double>(7 * i + 3 * x.size())));
    x.push_back(Tensor::from(values, shape, device));
    x.back().set_requires_grad();
  }
  const GlgaOptions options{.radius = 20};
  BOOST_TEST(prepare_glga(x[0], x[3], options, true));
  const Tensor y = glga(x[0], x[1], x[2], x[3], {}, {}, options);
  backward(sum(y * x[0].detach()));
  return {y.to_vector<float>(), x[0].grad().to_vector<float>(), x[1].grad().to_vector<float>(),
          x[2].grad().to_vector<float>()};
}

void check_close(const std::vector<float>& x, const std::vector<float>& y) {
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    most = std::max(most, static_cast<double>(std::abs(x.at(i) - y[i])));
    largest = std::max(largest, static_cast<double>(std::abs(y[i])));
  }
  BOOST_TEST(most <= 1e-5 * largest);
}

}  // namespace

/// Real tuning: all candidate tiles agree, and the op uses the winners for sizes in the same
/// bucket.
BOOST_AUTO_TEST_CASE(attention_is_tuned_and_the_op_takes_the_tiles) {
  const test::TempDir dir;
  const jit::Options options = test::quick_options(dir);
  const char* kernels[] = {"glga_forward<f32>(16, 1, 1, 1, 1, 20)", "glga_state<f32>(16)",
                           "glga_rows_grad<f32>(16, 1, 1, 1, 1, -1)",
                           "glga_band_grad<f32>(16, 1, 1, 0, 0, 20)"};
  for (const char* kernel : kernels) {
    const std::string said = run(options, {"tune", "run", kernel, "--sizes",
                                           "n=150,heads=2,radius=20", "--budget-s", "0.3"});
    for (const char* state : {"wrong", "failed", "crashed", "does not compile"})
      BOOST_TEST(said.find(state) == std::string::npos, said);
    BOOST_TEST(said.find("  * ") != std::string::npos, said);
  }
  let_win(dir, "glga_forward", {96, 128, 0, 0});
  let_win(dir, "glga_state", {32});
  let_win(dir, "glga_rows_grad", {128, 0});
  let_win(dir, "glga_band_grad", {128, 32, 0});

  const DevicePtr plain = make_cpu_device({.isa = options.isa, .threads = 1});
  const DevicePtr tuned = make_cpu_device(options);
  const Attention expected = attention_on(plain), found = attention_on(tuned);
  check_close(found.out, expected.out);
  check_close(found.dq, expected.dq);
  check_close(found.dk, expected.dk);
  check_close(found.dv, expected.dv);
  for (const char* kernel :
       {"glga_forward<f32>(16, 1, 1, 1, 1, 20, 0, 96, 128)", "glga_state<f32>(16, 32)",
        "glga_rows_grad<f32>(16, 1, 1, 1, 1, -1, 0, 128, 64)",
        "glga_band_grad<f32>(16, 1, 1, 0, 0, 20, 0, 128, 32)",
        "glga_join_grad<f32>(16, 1, 1, 0, 0, 20, 0, 128, 32)"}) {
    const jit::KernelSpec spec = jit::parse_kernel(kernel).spec;
    BOOST_TEST(tuned->runtime().has(spec), kernel);
    BOOST_TEST(!plain->runtime().has(spec), kernel);
  }

  // Other sizes have a record of their own.
  const Tensor q = Tensor::zeros({1, 700, 2, 16}, DType::kF32, tuned);
  const Tensor gates = Tensor::zeros({1, 700, 2, 1, 1}, DType::kF32, tuned);
  const jit::KernelSpec untuned =
      jit::parse_kernel("glga_forward<f32>(16, 1, 1, 1, 1, 20, 0, 32, 32)").spec;
  BOOST_TEST(!tuned->runtime().has(untuned));
  BOOST_TEST(prepare_glga(q, gates, {.radius = 20}, false));
  BOOST_TEST(tuned->runtime().has(untuned));
}

/// The two-pass backward, which a GPU uses, with two tiles for each pass.
BOOST_AUTO_TEST_CASE(gradients_by_two_walks_are_timed) {
  const test::TempDir dir;
  const jit::Options options = test::quick_options(dir);
  for (const char* name : {"glga_queries_grad", "glga_keys_grad"}) {
    const std::string spec = std::string(name) + "<bf16>(16, 1, 1, 0, 0, -1, 25";
    const std::string said = run(options, {"bench", spec + ")", spec + ", 64, 96)", "--sizes",
                                           "n=150,heads=2,radius=80", "--budget-s", "0.2"});
    BOOST_TEST(said.find(spec + ", 32, 32)") != std::string::npos, said);
    const std::size_t at = said.find(kDifference);
    BOOST_REQUIRE_MESSAGE(at != std::string::npos, said);
    BOOST_TEST(std::stod(said.substr(at + kDifference.size())) <= 2e-2, said);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_kernel_is_refused) {
  jit::Runtime runtime;
  const jit::TunableKernel gemm = kernel_named("gemm"), glga = kernel_named("glga_forward");
  BOOST_CHECK_THROW((void)gemm.workload(
                        runtime, jit::KernelSpec("gemm", {DType::kI32, DType::kI32}), {1, 1, 1, 1}),
                    InvalidArgument);
  for (const char* wrong : {"glga_forward<i32>(16, 1, 1)", "glga_forward<f32>(12, 1, 1)",
                            "glga_forward<f32>(264, 1, 1)", "glga_forward<f32>(16, 3, 1)"}) {
    BOOST_CHECK_THROW((void)glga.workload(runtime, jit::parse_kernel(wrong).spec, {10, 1, 1}),
                      InvalidArgument);
  }
}

/// Only the CPU's gemm kernel has configs.
BOOST_AUTO_TEST_CASE(products_are_tuned_by_that_name_on_the_cpu_only) {
  const test::RecordingDriver driver;
  const jit::CudaApi api = test::RecordingDriver::api();
  jit::Options options;
  options.device = "cuda";
  options.cuda = &api;
  jit::Runtime gpu(options);
  const jit::KernelSpec product("gemm", {DType::kF32, DType::kF32});
  BOOST_CHECK_EXCEPTION((void)kernel_named("gemm").workload(gpu, product, {8, 8, 8, 1}),
                        InvalidArgument, [](const InvalidArgument& error) {
                          return std::string(error.what()).find("cublaslt") != std::string::npos;
                        });
}
