// Capturing the work of a step into CUDA graphs, with a recording driver.
#define BOOST_TEST_MODULE cuda_graphs
#include "eflow/core/cuda/graphs.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/device.hpp"

#if __has_include(<cuda.h>)
#include <cuda.h>
#endif

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/cuda/nvrtc.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

using namespace eflow;
using test::RecordingDriver;

#if defined(CUDA_VERSION)
static_assert(jit::cu::kCaptureThreadLocal == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
static_assert(sizeof(jit::CuGraphUpdate) == sizeof(CUgraphExecUpdateResultInfo));
#endif

namespace {

struct Session {
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  std::shared_ptr<const jit::CudaContext> context =
      std::make_shared<const jit::CudaContext>(api, 0);
  detail::CudaGraphs graphs{context, reinterpret_cast<jit::CuStream>(0x77)};

  int count(const char* call) const { return driver.count(call); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(one_graph_up_to_every_wait) {
  Session s;
  s.graphs.add(1);
  s.graphs.flush();
  BOOST_TEST(s.count("cuStreamBeginCapture") == 0);  // gathering was not started
  s.graphs.begin();
  s.graphs.flush();
  BOOST_TEST(s.count("cuStreamBeginCapture") == 0);  // no work was issued yet
  for (int step = 0; step < 3; ++step) {
    s.graphs.begin();
    s.graphs.add(1);
    s.graphs.add(2);
    BOOST_TEST(s.graphs.capturing());
    s.graphs.flush();
    BOOST_TEST(!s.graphs.capturing());
    s.graphs.add(2);
    s.graphs.end();
  }
  BOOST_TEST(s.count("cuGraphLaunch") == 6);
  BOOST_TEST(s.count("cuGraphInstantiate") == 2);  // both in the first step
  BOOST_TEST(s.count("cuGraphExecUpdate") == 4);
  BOOST_TEST(s.driver.graphs == 0);  // captured graphs are destroyed immediately
  BOOST_TEST(s.driver.executables == 2);
}

BOOST_AUTO_TEST_CASE(another_sequence_is_another_graph) {
  Session s;
  for (const std::uint64_t first : {1, 2, 1, 2}) {
    s.graphs.begin();
    s.graphs.add(first);
    s.graphs.add(3);
    s.graphs.end();
  }
  BOOST_TEST(s.graphs.made() == 2);
  BOOST_TEST(s.graphs.launched() == 4);
}

BOOST_AUTO_TEST_CASE(a_graph_that_cannot_be_updated_is_made_anew) {
  Session s;
  for (int step = 0; step < 3; ++step) {
    s.graphs.begin();
    s.graphs.add(1);
    s.graphs.end();
    s.driver.failing["cuGraphExecUpdate"] = 910;
  }
  BOOST_TEST(s.graphs.made() == 3);
  BOOST_TEST(s.driver.executables == 1);
}

BOOST_AUTO_TEST_CASE(failures_are_told_and_leave_nothing) {
  for (const char* call :
       {"cuStreamBeginCapture", "cuStreamEndCapture", "cuGraphInstantiate", "cuGraphLaunch"}) {
    Session s;
    s.driver.failing[call] = 700;
    s.graphs.begin();
    try {
      s.graphs.add(1);
      s.graphs.end();
      BOOST_ERROR(call << " did not fail");
    } catch (const DeviceError& e) {
      BOOST_TEST(std::string(e.what()).find(call) != std::string::npos, e.what());
    }
    BOOST_TEST(!s.graphs.capturing());
    BOOST_TEST(s.driver.graphs == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_device_gathers_and_a_miss_leaves_the_capture_alive) {
  if (!jit::find_nvrtc("")) {
    BOOST_TEST_MESSAGE("skipped: no NVRTC");
    return;
  }
  RecordingDriver driver;
  jit::CudaApi api = RecordingDriver::api();
  api.kernel_parameter = nullptr;  // the recorder supports one argument size only
  jit::Options options;
  options.cuda = &api;
  options.cublas_library = "off";
  options.device = "cuda";
  options.graphs = true;
  options.compile_timeout = std::chrono::minutes(10);
  const DevicePtr device = make_device(options);
  const NoGrad off;
  const Tensor x = Tensor::zeros({300}, DType::kF32, device);
  {
    const Tensor spare[] = {Tensor::zeros({300}, DType::kF32, device),
                            Tensor::zeros({300}, DType::kF32, device)};
  }
  {
    GatheredWork work(device);
    device->fill_zero(x.data(), 4, {});
    BOOST_TEST(driver.capturing == 1);
    const int ends = driver.count("cuStreamEndCapture");
    const Tensor y = exp(x);  // its kernel is not compiled yet
    BOOST_TEST(driver.loading_relaxed);
    BOOST_TEST(driver.launches.size() == 1u);
    BOOST_TEST(driver.count("cuStreamEndCapture") == ends);  // the capture continues
    // Allocating new memory from the driver ends the capture.
    const int allocations = driver.count("cuMemAllocAsync");
    const Tensor z = Tensor::zeros({5000}, DType::kF32, device);
    BOOST_TEST(driver.count("cuMemAllocAsync") == allocations + 1);
    BOOST_TEST(driver.count("cuStreamEndCapture") == ends + 1);
    // Reading a result runs the gathered work.
    static_cast<void>(y.to_vector<float>());
    BOOST_TEST(driver.capturing == 0);
    BOOST_TEST(driver.count("cuGraphLaunch") == 2);
    work.finish();
  }
  {
    // An exception discards the gathered work; the device remains usable.
    GatheredWork work(device);
    device->fill_zero(x.data(), 4, {});
  }
  BOOST_TEST(driver.capturing == 0);
  BOOST_TEST(driver.count("cuGraphLaunch") == 2);
}
