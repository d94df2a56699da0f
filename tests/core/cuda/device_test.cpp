// The CUDA device with a recording driver: the driver calls of tensors and ops. Its memory is host
// memory, so copies are real. Kernels are compiled if NVRTC is installed, but never run.
#define BOOST_TEST_MODULE cuda_device
#include "eflow/core/tensor/device.hpp"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/jit/runtime.hpp"

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/kernels_src/args/gemm.h"
#include "eflow/kernels_src/args/reduce.h"
#include "eflow/tests/support/cuda/recorded_device.hpp"

using namespace eflow;
using test::RecordingDriver;

#if defined(CUDA_VERSION)
static_assert(sizeof(jit::CuAddress) == sizeof(CUdeviceptr));
static_assert(jit::cu::kOutOfMemory == CUDA_ERROR_OUT_OF_MEMORY);
static_assert(jit::cu::kPoolReleaseThreshold == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD);
static_assert(jit::cu::kEventWithoutTime == CU_EVENT_DISABLE_TIMING);
static_assert(jit::cu::kStreamNonBlocking == CU_STREAM_NON_BLOCKING);
#endif

namespace {

struct Session : test::RecordedDevice {
  Session()
      : RecordedDevice([this](jit::Options* options) {
          api.kernel_parameter = nullptr;  // the recorder supports one argument size only
          options->compile_timeout = std::chrono::minutes(10);
        }) {}
};

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const DeviceError& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(devices_by_name) {
  Session s;
  BOOST_TEST(s.device->name() == "cuda:0");
  BOOST_TEST((s.device->runtime().target() == jit::Target{jit::Backend::kCuda, "sm_90a"}));
  BOOST_TEST(s.driver.keeps > 0u);
  jit::Options options;
  options.cuda = &s.api;
  options.cublas_library = "off";
  const auto named = [&](const char* name) {
    options.device = name;
    return make_device(options);
  };
  BOOST_TEST(contains(message_of([&] { (void)named("cuda:1"); }), "cuda:1"));
  BOOST_TEST(named("cpu")->name() == "cpu");
  BOOST_TEST(named("auto")->name() == "cuda:0");
  s.driver.devices = 0;
  BOOST_TEST(named("auto")->name() == "cpu");
  for (const char* wrong : {"gpu", "cuda:", "cuda:x", "cuda:-1", ""})
    BOOST_CHECK_THROW((void)named(wrong), InvalidArgument);
}

BOOST_AUTO_TEST_CASE(values_go_there_and_back) {
  Session s;
  std::vector<float> values(3'000'000);  // three segments of staging memory
  std::iota(values.begin(), values.end(), 0.0f);
  {
    const Tensor x = Tensor::from(values, {1000, 3000}, s.device);
    BOOST_TEST(s.driver.count("cuMemcpyHtoDAsync") == 3);
    BOOST_TEST(s.driver.count("cuEventRecord") == 2);
    BOOST_TEST((x.to_vector<float>() == values));
    BOOST_TEST(s.driver.count("cuStreamSynchronize") == 1);
    BOOST_TEST(s.driver.pinned == 3);
    const Tensor zero = Tensor::zeros({7}, DType::kF32, s.device);
    BOOST_TEST((zero.to_vector<float>() == std::vector<float>(7)));
    BOOST_TEST(s.driver.count("cuMemsetD8Async") == 1);
    BOOST_TEST(s.driver.allocated.size() == 2U);
    BOOST_TEST(s.device->memory().in_use >= 12'000'000u);
  }
  BOOST_TEST(s.device->memory().in_use == 0u);
  BOOST_TEST(s.driver.allocated.size() == 2U);  // cached for reuse
  const int calls = s.driver.count("cuMemAllocAsync");
  { const Tensor again = Tensor::empty({1000, 3000}, DType::kF32, s.device); }
  BOOST_TEST(s.driver.count("cuMemAllocAsync") == calls);
  s.device->trim();
  BOOST_TEST(s.driver.allocated.empty());
  s.device.reset();
  BOOST_TEST(s.driver.pinned == 0);
  BOOST_TEST(s.driver.events == 0);
  BOOST_TEST(s.driver.streams == 0);
  BOOST_TEST(s.driver.retained == 0);
}

BOOST_AUTO_TEST_CASE(small_copies_do_not_wait_for_each_other) {
  Session s;
  for (int i = 0; i < 1000; ++i)
    static_cast<void>(Tensor::from(std::vector<float>(100), {100}, s.device));
  BOOST_TEST(s.driver.count("cuEventSynchronize") == 0);
  BOOST_TEST(s.driver.pinned == 1);
  // Five segments' worth of data reuses the first segment.
  const std::vector<float> segment(1 << 20);
  for (int i = 0; i < 5; ++i) static_cast<void>(Tensor::from(segment, {1 << 20}, s.device));
  BOOST_TEST(s.driver.pinned == 4);
  BOOST_TEST(s.driver.count("cuEventSynchronize") > 0);
  // Copies to another stream use a segment of their own.
  int other = 0;
  const int records = s.driver.count("cuEventRecord");
  s.device->copy_in(Tensor::empty({1}, DType::kF32, s.device).data(), segment.data(), 4,
                    Stream{&other});
  BOOST_TEST(s.driver.count("cuEventRecord") == records + 1);
}

BOOST_AUTO_TEST_CASE(indices_are_read_without_waiting) {
  Session s;
  const std::vector<std::int64_t> values{3, 1, 2, 0};
  const Tensor ids = Tensor::from(values, {2, 2}, s.device);
  BOOST_TEST((ids.to_vector<std::int64_t>() == values));
  BOOST_TEST((ids.view({4}, {1}).to_vector<double>() == std::vector<double>{3, 1, 2, 0}));
  BOOST_TEST(s.driver.count("cuStreamSynchronize") == 0);
  // A slice, or a tensor written since, is read from the device.
  BOOST_TEST((ids.view({2}, {1}, 2).to_vector<std::int64_t>() == std::vector<std::int64_t>{2, 0}));
  const std::vector<std::int64_t> others{9, 8, 7, 6};
  ids.assign_bytes(std::as_bytes(std::span(others)));
  BOOST_TEST((ids.to_vector<std::int64_t>() == others));
  BOOST_TEST(s.driver.count("cuStreamSynchronize") == 2);
}

BOOST_AUTO_TEST_CASE(all_work_goes_to_a_stream_of_the_device) {
  Session s;
  BOOST_TEST(s.driver.streams == 1);
  const Tensor x = Tensor::zeros({4}, DType::kF32, s.device);
  static_cast<void>(x.to_vector<float>());
  BOOST_TEST(s.driver.used_streams.size() == 1U);
  BOOST_TEST(*s.driver.used_streams.begin() !=
             nullptr);  // the legacy stream synchronises with others and cannot be captured
}

BOOST_AUTO_TEST_CASE(each_stream_reuses_its_own_memory) {
  Session s;
  int other = 0;
  void* const a = s.device->allocate(1000, {});
  s.device->release(a, 1000, {});
  void* const b = s.device->allocate(1000, Stream{&other});
  BOOST_TEST(a != b);
  s.device->release(b, 1000, Stream{&other});
  BOOST_TEST(s.device->allocate(1000, {}) == a);
  s.device->release(a, 1000, {});
  s.device->trim();
  BOOST_TEST(s.driver.released_on.at(reinterpret_cast<jit::CuAddress>(b)) ==
             reinterpret_cast<jit::CuStream>(&other));
}

BOOST_AUTO_TEST_CASE(a_full_device_says_what_holds_it) {
  Session s;
  s.driver.capacity = 10 << 20;
  const Tensor held = Tensor::empty({1 << 20}, DType::kF32, s.device);
  { const Tensor cached = Tensor::empty({1 << 20}, DType::kF32, s.device); }
  // Cached memory is returned to the driver before an allocation fails.
  BOOST_TEST(message_of([&] { (void)Tensor::empty({5 << 18}, DType::kF32, s.device); }) == "");
  const std::string message =
      message_of([&] { (void)Tensor::empty({1 << 22}, DType::kF32, s.device); });
  for (const char* part :
       {"cannot allocate 16 MiB; tensors hold 4 MiB", "cuda:0 (Recorded GPU) has 6 of 10 MiB free",
        "activations 4 MiB, parameters 0 MiB",
        "train.recompute = true, if it is not set (about 3 MiB)",
        "double train.accumulation (about 2 MiB)"})
    BOOST_TEST(contains(message, part), message);
  note_use(held, MemoryUse::kParameters);
  const std::string other =
      message_of([&] { (void)Tensor::empty({1 << 22}, DType::kF32, s.device); });
  BOOST_TEST(contains(other, "parameters 4 MiB"), other);
  BOOST_TEST(contains(other, "savings: a model with half the parameters"), other);
}

BOOST_AUTO_TEST_CASE(refusals_name_call_and_device) {
  for (const char* call :
       {"cuMemAllocAsync", "cuMemcpyHtoDAsync", "cuMemsetD8Async", "cuMemAllocHost",
        "cuEventCreate", "cuMemcpyDtoHAsync", "cuStreamSynchronize"}) {
    Session s;
    s.driver.failing[call] = 700;
    const std::string message = message_of([&] {
      const Tensor x = Tensor::zeros({4}, DType::kF32, s.device);
      (void)Tensor::from(std::vector<float>(4), {4}, s.device).to_vector<float>();
    });
    for (const char* part : {call, "CUDA_ERROR_ILLEGAL_ADDRESS", "cuda:0 (Recorded GPU)"})
      BOOST_TEST(contains(message, part), message);
    s.driver.failing.clear();
  }
  for (const char* call :
       {"cuStreamCreate", "cuDeviceGetDefaultMemPool", "cuMemPoolSetAttribute"}) {
    RecordingDriver driver;
    const jit::CudaApi api = RecordingDriver::api();
    jit::Options options;
    options.cuda = &api;
    options.cublas_library = "off";
    options.device = "cuda";
    driver.failing[call] = 1;
    BOOST_TEST(contains(message_of([&] { (void)make_device(options); }), call));
    BOOST_TEST(driver.retained == 0);
  }
}

BOOST_AUTO_TEST_CASE(ops_are_compiled_once_and_launched) {
  if (!jit::find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  Session s;
  const Tensor x = Tensor::zeros({300, 40}, DType::kF32, s.device),
               w = Tensor::zeros({40, 100}, DType::kF32, s.device);
  s.driver.launches.clear();
  s.driver.args_bytes = sizeof(args::Gemm);
  const Tensor y = matmul(x, w);
  BOOST_REQUIRE(s.driver.launches.size() == 1U);
  const auto& launch = s.driver.launches[0];
  BOOST_TEST(launch.config.grid_x == 3u * 2u);  // blocks of 128 x 64
  BOOST_TEST(launch.config.grid_y * launch.config.grid_z == 1u);
  BOOST_TEST(launch.config.block_x == 256u);
  BOOST_TEST(launch.config.shared_bytes > 0u);
  args::Gemm g;
  std::memcpy(&g, launch.args.data(), sizeof g);
  BOOST_TEST(g.a == x.data());
  BOOST_TEST(g.c == y.data());
  BOOST_TEST(g.m == 300);
  const int loads = s.driver.loaded;
  (void)matmul(x, w);
  BOOST_TEST(s.driver.launches.size() == 2U);
  BOOST_TEST(s.driver.loaded == loads);  // compiled and loaded only once
}

/// A grid has at most 65535 blocks along y and z: longer ranges are launched in slices, and every
/// slice begins where the one before it ends.
BOOST_AUTO_TEST_CASE(ranges_beyond_a_grid_are_launched_in_slices) {
  if (!jit::find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  constexpr std::int64_t kMany = 70000, kSlice = 65535;
  Session s;
  const Tensor x = Tensor::zeros({kMany, 2, 4}, DType::kF32, s.device);
  s.driver.launches.clear();
  s.driver.args_bytes = sizeof(args::Reduce);
  const Tensor sums = sum(x, {1});
  BOOST_REQUIRE(s.driver.launches.size() == 2U);
  for (std::int64_t i = 0, first = 0; i < 2; ++i, first += kSlice) {
    const auto& launch = s.driver.launches[static_cast<std::size_t>(i)];
    args::Reduce a;
    std::memcpy(&a, launch.args.data(), sizeof a);
    BOOST_TEST(launch.config.grid_y == static_cast<unsigned>(std::min(kSlice, kMany - first)));
    BOOST_TEST(a.outer == launch.config.grid_y);
    BOOST_TEST(a.x == static_cast<const float*>(x.data()) + first * 8);
    BOOST_TEST(a.y == static_cast<float*>(sums.data()) + first * 4);
  }

  const Tensor left = Tensor::zeros({kMany, 3, 2}, DType::kF32, s.device);
  s.driver.launches.clear();
  s.driver.args_bytes = sizeof(args::Gemm);
  const Tensor products = matmul(left, x);
  std::int64_t done = 0;
  for (const auto& launch : s.driver.launches) {
    args::Gemm g;
    std::memcpy(&g, launch.args.data(), sizeof g);
    BOOST_TEST(launch.config.grid_y <= kSlice);
    BOOST_TEST(launch.config.grid_z <= kSlice);
    BOOST_TEST(g.a == static_cast<const float*>(left.data()) + done * 6);
    BOOST_TEST(g.b == static_cast<const float*>(x.data()) + done * 8);
    BOOST_TEST(g.c == static_cast<float*>(products.data()) + done * 12);
    done += g.batch[0] * g.batch[1];
  }
  BOOST_TEST(done == kMany);
}
