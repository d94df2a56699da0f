// GPU kernels on a recording driver: the calls made, and the handling of each error. The images are
// real if NVRTC is available; nothing here runs on a GPU.
#define BOOST_TEST_MODULE cuda_launch
#include "eflow/jit/cuda/launch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <type_traits>

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

#include "eflow/core/base/error.hpp"
#include "eflow/jit/cache/pack.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/jit/kernel_builder.hpp"
#include "eflow/jit/runtime.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;
using test::RecordingDriver;

#if defined(CUDA_VERSION)
// Our declarations must match the driver's header.
static_assert(sizeof(CuLaunchConfig) == sizeof(CUlaunchConfig));
static_assert(offsetof(CuLaunchConfig, shared_bytes) == offsetof(CUlaunchConfig, sharedMemBytes));
static_assert(offsetof(CuLaunchConfig, stream) == offsetof(CUlaunchConfig, hStream));
static_assert(offsetof(CuLaunchConfig, attribute_count) == offsetof(CUlaunchConfig, numAttrs));
static_assert(cu::kDeviceMultiprocessors == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
static_assert(cu::kDeviceL2Bytes == CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
static_assert(cu::kDeviceMajor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
static_assert(cu::kDeviceMinor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
static_assert(cu::kDeviceSharedPerBlockOptin ==
              CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
static_assert(cu::kFunctionMaxThreads == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
static_assert(cu::kFunctionStaticSharedBytes == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES);
static_assert(cu::kFunctionMaxDynamicSharedBytes ==
              CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
static_assert(cu::kJitErrorLog == CU_JIT_ERROR_LOG_BUFFER);
static_assert(cu::kJitErrorLogBytes == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES);
static_assert(cu::kCaptureRelaxed == CU_STREAM_CAPTURE_MODE_RELAXED);
#endif

namespace {

struct Args {
  std::int32_t a = 7, b = 9;
};

const KernelSource kSource{"k.h", "k<float, 3>", 128, 0};

/// A context on the recording driver, and a module with one kernel.
struct Session {
  RecordingDriver driver;
  CudaApi api = RecordingDriver::api();
  std::shared_ptr<const CudaContext> context = std::make_shared<const CudaContext>(api, 0);

  std::unique_ptr<CudaModule> load(KernelSource source = kSource) {
    return std::make_unique<CudaModule>(context, "image", source, "k<f32>(3) for sm_90a");
  }
  void launch(const CudaKernel& kernel, Grid grid, Stream stream = {}) {
    const Args args;
    launch_cuda(*context, kernel, grid, &args, stream);
  }
};

template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_launch_is_one_call_with_all_it_needs) {
  Session s;
  const auto module = s.load();
  BOOST_TEST(s.driver.kernel_name == "eflow_kernel");
  BOOST_TEST(module->kernel().args_bytes == sizeof(Args));
  BOOST_TEST(s.driver.count("cuKernelGetFunction") == 1);  // loaded eagerly
  s.driver.calls.clear();
  int stream = 0;
  s.launch(module->kernel(), {100, 3, 2}, Stream{&stream});
  BOOST_TEST(s.driver.calls == (std::vector<std::string>{"cuCtxGetCurrent", "cuCtxPushCurrent",
                                                         "cuLaunchKernelEx", "cuCtxPopCurrent"}),
             boost::test_tools::per_element());
  const RecordingDriver::Launch& l = s.driver.launches.at(0);
  BOOST_TEST(l.config.grid_x == 100u);
  BOOST_TEST(l.config.grid_y == 3u);
  BOOST_TEST(l.config.grid_z == 2u);
  BOOST_TEST(l.config.block_x == 128u);
  BOOST_TEST(l.config.block_y * l.config.block_z == 1u);
  BOOST_TEST(l.config.shared_bytes == 0u);
  BOOST_TEST(static_cast<void*>(l.config.stream) == static_cast<void*>(&stream));
  BOOST_TEST(l.config.attribute_count == 0u);
  BOOST_TEST(l.context == "primary");
  const Args expected;
  BOOST_TEST(l.args == std::string(reinterpret_cast<const char*>(&expected), sizeof expected));
  BOOST_TEST(s.driver.current == nullptr);  // the caller's state is restored

  // If the context is already current, no push is needed.
  s.driver.current = s.driver.primary;
  s.driver.calls.clear();
  s.launch(module->kernel(), {});
  BOOST_TEST(s.driver.calls.size() == 2u);
}

BOOST_AUTO_TEST_CASE(grids_are_checked_before_the_driver_is_asked) {
  Session s;
  const auto module = s.load();
  for (const Grid none : {Grid{0, 1, 1}, Grid{5, 0, 1}, Grid{5, 1, 0}})
    s.launch(module->kernel(), none);
  BOOST_TEST(s.driver.launches.empty());
  for (const Grid wrong :
       {Grid{std::int64_t{1} << 31, 1, 1}, Grid{1, 65536, 1}, Grid{1, 1, 65536}, Grid{-1, 1, 1}}) {
    BOOST_TEST(contains(message_of<InvalidArgument>([&] { s.launch(module->kernel(), wrong); }),
                        "k<f32>(3) for sm_90a: a grid of ["));
  }
  s.launch(module->kernel(), {0x7fffffff, 65535, 65535});
  BOOST_TEST(s.driver.launches.size() == 1u);
}

BOOST_AUTO_TEST_CASE(shared_memory_is_opted_into) {
  Session s;
  (void)s.load({"k.h", "k", 256, 48 << 10});
  BOOST_TEST(s.driver.dynamic_shared == 0);  // within the default limit, no opt-in is needed
  const auto large = s.load({"k.h", "k", 256, 200 << 10});
  BOOST_TEST(s.driver.dynamic_shared == 200 << 10);
  BOOST_TEST(large->kernel().shared_bytes == 200u << 10);
  s.launch(large->kernel(), {});
  BOOST_TEST(s.driver.launches.at(0).config.shared_bytes == 200u << 10);
  s.driver.static_shared = 1 << 10;
  (void)s.load({"k.h", "k", 256, 48 << 10});  // with its static memory the total exceeds 48 KiB
  BOOST_TEST(s.driver.dynamic_shared == 48 << 10);
  const std::string most = message_of<InvalidArgument>([&] {
    (void)s.load({"k.h", "k", 256, 232448});
  });
  BOOST_TEST(contains(most, "232448 + 1024 B of shared memory"), most);
  s.driver.max_threads = 128;
  BOOST_TEST(contains(message_of<InvalidArgument>([&] {
                        (void)s.load({"k.h", "k", 256, 0});
                      }),
                      "needs 256 threads"));
}

BOOST_AUTO_TEST_CASE(every_refusal_is_told_with_its_call) {
  for (const std::string call :
       {"cuCtxGetCurrent", "cuCtxPushCurrent", "cuLibraryLoadData", "cuLibraryGetKernel",
        "cuKernelGetFunction", "cuKernelGetParamInfo", "cuFuncGetAttribute",
        "cuFuncSetAttribute"}) {
    Session s;
    s.driver.failing[call] = 700;
    const std::string text = message_of<DeviceError>([&] {
      (void)s.load({"k.h", "k", 256, 100 << 10});
    });
    BOOST_TEST(contains(text, call), text);
    BOOST_TEST(contains(text, "CUDA_ERROR_ILLEGAL_ADDRESS (as the test wants it)"), text);
    BOOST_TEST(contains(text, "cuda:0 (Recorded GPU)"), text);
    if (!call.starts_with("cuCtx")) BOOST_TEST(contains(text, "k<f32>(3) for sm_90a"), text);
    if (call == "cuLibraryLoadData") BOOST_TEST(contains(text, "not for this device"), text);
    BOOST_TEST(s.driver.loaded == 0, call);  // nothing remains loaded
    BOOST_TEST(s.driver.mode == 0, call);
    BOOST_TEST(s.driver.current == nullptr, call);
  }
  {
    RecordingDriver driver;
    const CudaApi api = RecordingDriver::api();
    for (const char* call :
         {"cuInit", "cuDeviceGetCount", "cuDeviceGet", "cuDevicePrimaryCtxRetain"}) {
      driver.failing = {{call, 700}};
      BOOST_TEST(
          contains(message_of<DeviceError>([&] { CudaContext(api, 0); }), "ILLEGAL_ADDRESS"));
    }
    driver.failing.clear();
    BOOST_TEST(contains(message_of<DeviceError>([&] { CudaContext(api, 1); }),
                        "no device cuda:1: the number of devices is 1"));
  }
  Session s;
  const auto module = s.load();
  s.driver.failing = {{"cuLaunchKernelEx", 700}};
  const std::string text = message_of<DeviceError>([&] {
    s.launch(module->kernel(), {100, 3, 2});
  });
  BOOST_TEST(
      contains(text,
               "cuLaunchKernelEx of k<f32>(3) for sm_90a, grid [100, 3, 2], 128 threads, 0 B"),
      text);
  BOOST_TEST(s.driver.current == nullptr);
  s.driver.failing = {{"cuStreamSynchronize", 700}};
  BOOST_CHECK_THROW(synchronize_cuda(*s.context, {}), DeviceError);
  s.driver.failing = {{"cuStreamIsCapturing", 700}};
  BOOST_TEST(!is_capturing(*s.context, {}));
}

BOOST_AUTO_TEST_CASE(what_was_taken_is_given_back) {
  RecordingDriver driver;
  const CudaApi api = RecordingDriver::api();
  {
    const auto context = std::make_shared<const CudaContext>(api, 0);
    const CudaModule module(context, "image", kSource, "k");
    BOOST_TEST(driver.loading_relaxed);  // a capture on another thread stays valid
    BOOST_TEST(driver.mode == 0);
    BOOST_TEST(driver.retained == 1);
    BOOST_TEST(driver.loaded == 1);
  }
  BOOST_TEST(driver.retained == 0);
  BOOST_TEST(driver.loaded == 0);
}

BOOST_AUTO_TEST_CASE(a_forked_child_is_refused) {
  Session s;
  const auto module = s.load();
  const pid_t child = fork();
  if (child == 0) {
    const std::string text = message_of<DeviceError>([&] { s.launch(module->kernel(), {}); });
    _exit(contains(text, "fork()") ? 0 : 1);
  }
  int status = 0;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_TEST(WEXITSTATUS(status) == 0);
  s.launch(module->kernel(), {});  // the parent continues to work
}

namespace {

Options cuda_options(const CudaApi& api) {
  Options o;
  o.device = "cuda:0";
  o.cuda = &api;
  return o;
}

/// A Runtime on the recording driver, with a text of its own.
std::unique_ptr<Runtime> gpu_runtime(const Options& options) {
  auto runtime = std::make_unique<Runtime>(options);
  runtime->add_text(
      "acme/k.h",
      "#pragma once\n#include \"eflow/kernels_src/tile/pack.h\"\nnamespace EFLOW_TEXT {\n"
      "struct Args { int a, b; };\n"
      "template <class T, int kN> void k(const Block&, const Args&) {}\n}\n");
  runtime->define({.name = "k",
                   .text = "acme/k.h",
                   .expression = "k<$t0, $c0>",
                   .threads = 128,
                   .space = {},
                   .shared_bytes = [](const KernelSpec& spec) {
                     return std::int64_t{spec.constants[0]} << 10;
                   }});
  return runtime;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_runtime_prepares_and_launches_on_a_gpu) {
  if (!find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  RecordingDriver driver;
  const CudaApi api = RecordingDriver::api();
  const auto runtime = gpu_runtime(cuda_options(api));
  BOOST_TEST(runtime->limits().arch == "sm_90a");
  BOOST_TEST(runtime->limits().threads == 132);
  const KernelSpec big("k", {DType::kF32}, {100});
  BOOST_TEST(!runtime->has(big));
  const Args args;
  driver.calls.clear();
  BOOST_CHECK_THROW(runtime->launch("k", big, {}, args), NeedsPrepare);
  int captured = 0;
  const auto stream_of = [&] { return reinterpret_cast<CuStream>(&captured); };
  BOOST_REQUIRE(api.capture_begin(stream_of(), cu::kCaptureThreadLocal) == 0);
  driver.calls.clear();
  BOOST_TEST(contains(
      message_of<NeedsPrepare>([&] { runtime->launch("k", big, {}, args, Stream{&captured}); }),
      "before the capture"));
  // A miss queries the capture status and does nothing that would invalidate a capture.
  for (const std::string& call : driver.calls)
    BOOST_TEST((call.starts_with("cuCtx") || call == "cuStreamIsCapturing"), call);
  CuGraph graph{};
  BOOST_TEST(api.capture_end(stream_of(), &graph) == 0);
  BOOST_TEST(api.graph_destroy(graph) == 0);

  const Prepared made = runtime->prepare({{"k", big}})[0];
  BOOST_REQUIRE_MESSAGE(made.ok(), made.error);
  BOOST_TEST(name_of(made.origin) == "compiled");
  BOOST_TEST(made.resources.registers > 0);
  BOOST_TEST(driver.dynamic_shared == 100 << 10);
  driver.calls.clear();
  int stream = 0;
  runtime->launch("k", big, {.x = 5}, args, Stream{&stream});
  BOOST_TEST(driver.count("cuLaunchKernelEx") == 1);
  BOOST_TEST(driver.count("cuStreamIsCapturing") + driver.count("cuLibraryLoadData") == 0);
  BOOST_TEST(driver.launches.at(0).config.shared_bytes == 100u << 10);
  BOOST_TEST(driver.launches.at(0).config.block_x == 128u);
  const struct { int x; } wrong{1};
  BOOST_CHECK_THROW(runtime->launch("k", big, {}, wrong), InvalidArgument);
  runtime->synchronize(Stream{&stream});
  // Stream{} is the stream of whoever owns the Runtime.
  int own = 0;
  runtime->set_own_stream(Stream{&own});
  runtime->launch("k", big, {.x = 5}, args);
  BOOST_TEST(static_cast<void*>(driver.launches.back().config.stream) == static_cast<void*>(&own));
  runtime->launch("k", big, {.x = 5}, args, Stream{&stream});
  BOOST_TEST(static_cast<void*>(driver.launches.back().config.stream) ==
             static_cast<void*>(&stream));
  BOOST_TEST(driver.count("cuStreamSynchronize") == 1);

  // On a GPU, built-in texts must be prepared too.
  const KernelRef reduce = parse_kernel("reduce<f32, f32>(1)");
  BOOST_TEST(!runtime->has(reduce.spec));
  BOOST_TEST(runtime->prepare({reduce})[0].ok());
  BOOST_TEST(runtime->has(reduce.spec));
}

BOOST_AUTO_TEST_CASE(an_image_the_driver_refuses_is_told_and_not_kept) {
  if (!find_nvrtc("")) return;
  const test::TempDir dir;
  RecordingDriver driver;
  const CudaApi api = RecordingDriver::api();
  Options options = cuda_options(api);
  options.cache.named = dir / "cache";
  const KernelSpec spec("k", {DType::kF32}, {1});
  driver.failing["cuLibraryLoadData"] = 209;
  const Prepared refused = gpu_runtime(options)->prepare({{"k", spec}})[0];
  BOOST_TEST(contains(refused.error, "cuLibraryLoadData of k<f32>(1) for sm_90a"), refused.error);
  driver.failing.clear();
  BOOST_TEST(name_of(gpu_runtime(options)->prepare({{"k", spec}})[0].origin) == "compiled");
  BOOST_TEST(name_of(gpu_runtime(options)->prepare({{"k", spec}})[0].origin) == "disk cache");
}

BOOST_AUTO_TEST_CASE(devices_that_are_not_there_are_named) {
  RecordingDriver driver;
  const CudaApi api = RecordingDriver::api();
  Options options = cuda_options(api);
  for (const auto& [device, part] : {std::pair{"cuda:1", "the number of devices is 1"},
                                     {"cuda:", "expected cpu, cuda"},
                                     {"gpu", "expected cpu, cuda"},
                                     {"cuda:0x", "expected cpu, cuda"}}) {
    options.device = device;
    const std::string text = message_of<Error>([&] { Runtime runtime(options); });
    BOOST_TEST(contains(text, part), text);
  }
}
