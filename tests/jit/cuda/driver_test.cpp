// Driver detection with a fake libcuda, and without any.
#define BOOST_TEST_MODULE cuda_driver
#include "eflow/jit/cuda/driver.hpp"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "eflow/jit/host/subprocess.hpp"
#include "eflow/tests/support/temp_dir.hpp"

using namespace eflow;
using namespace eflow::jit;

namespace {

/// Compiles a fake libcuda: `init` is cuInit's result, `devices` the number of devices, `without` a
/// function to omit.
std::string fake_driver(const test::TempDir& dir, int init, int devices,
                        const std::string& without = "") {
  const std::string name = "libcuda" + std::to_string(init) + std::to_string(devices);
  std::ofstream(dir / (name + ".cpp"))
      << "#include <cstring>\n#define F extern \"C\" int\n"
      << "F cuInit(unsigned) { return " << init
      << "; }\nF cuDriverGetVersion(int* v) { *v = 13000; return 0; }\n"
      << "F cuDeviceGetCount(int* n) { *n = " << devices << "; return 0; }\n"
      << "F cuDeviceGet(int* d, int i) { *d = i; return 0; }\n"
      << "F cuDeviceGetName(char* s, int n, int) { std::strncpy(s, \"Some GPU\", n); return 0; }\n"
      << "F cuDeviceGetAttribute(int* v, int a, int d) {\n"
      << "  *v = a == 75 ? (d == 0 ? 9 : 8) : a == 76 ? (d == 0 ? 0 : 9) : a == 16 ? 132 : a == 97 "
         "? 232448 : 1 << 20;\n"
      << "  return 0; }\n"
      << "F cuDeviceTotalMem_v2(unsigned long* n, int) { *n = 80ul << 30; return 0; }\n"
      << "F cuGetErrorName(int, const char** s) { *s = \"CUDA_ERROR_NO_DEVICE\"; return 0; }\n"
      << "F cuGetErrorString(int, const char** s) { *s = \"no device\"; return 0; }\n";
  for (const char* function : {"cuDeviceGetPCIBusId",
                               "cuDevicePrimaryCtxRetain",
                               "cuDevicePrimaryCtxRelease_v2",
                               "cuCtxGetCurrent",
                               "cuCtxPushCurrent_v2",
                               "cuCtxPopCurrent_v2",
                               "cuLibraryLoadData",
                               "cuLibraryUnload",
                               "cuLibraryGetKernel",
                               "cuKernelGetFunction",
                               "cuFuncGetAttribute",
                               "cuFuncSetAttribute",
                               "cuLaunchKernelEx",
                               "cuStreamSynchronize",
                               "cuStreamIsCapturing",
                               "cuThreadExchangeStreamCaptureMode",
                               "cuDeviceGetDefaultMemPool",
                               "cuMemPoolSetAttribute",
                               "cuMemAllocAsync",
                               "cuMemFreeAsync",
                               "cuMemGetInfo_v2",
                               "cuMemAllocHost_v2",
                               "cuMemFreeHost",
                               "cuMemcpyHtoDAsync_v2",
                               "cuMemcpyDtoHAsync_v2",
                               "cuMemsetD8Async",
                               "cuStreamCreate",
                               "cuStreamDestroy_v2",
                               "cuStreamWaitEvent",
                               "cuEventCreate",
                               "cuEventRecord",
                               "cuEventQuery",
                               "cuEventSynchronize",
                               "cuEventDestroy_v2",
                               "cuStreamBeginCapture_v2",
                               "cuStreamEndCapture",
                               "cuStreamGetCaptureInfo_v2",
                               "cuGraphInstantiateWithFlags",
                               "cuGraphExecUpdate_v2",
                               "cuGraphExecKernelNodeSetParams_v2",
                               "cuGraphExecMemcpyNodeSetParams",
                               "cuGraphExecMemsetNodeSetParams",
                               "cuGraphLaunch",
                               "cuGraphExecDestroy",
                               "cuGraphDestroy"}) {
    if (function != without)
      std::ofstream(dir / (name + ".cpp"), std::ios::app)
          << "F " << function << "() { return 1; }\n";
  }
  const ProcessResult made =
      run_process({.argv = {"/usr/bin/c++", "-shared", "-fPIC", "-o", name + ".so", name + ".cpp"},
                   .environment = {"PATH=/usr/bin:/bin"},
                   .directory = dir.path(),
                   .stop = {}});
  BOOST_REQUIRE_MESSAGE(made.ok(), made.output);
  return dir / (name + ".so");
}

}  // namespace

BOOST_AUTO_TEST_CASE(devices_are_listed) {
  const test::TempDir dir;
  const CudaDriver driver = probe_cuda_driver(fake_driver(dir, 0, 2));
  BOOST_TEST(driver.why == "");
  BOOST_TEST(driver.version == 13000);
  BOOST_REQUIRE(driver.devices.size() == 2u);
  BOOST_TEST(driver.devices[0].name == "Some GPU");
  BOOST_TEST(driver.devices[0].arch() == "sm_90a");
  BOOST_TEST(driver.devices[1].arch() == "sm_89");
  BOOST_TEST(driver.devices[0].multiprocessors == 132);
  BOOST_TEST(driver.devices[0].shared_per_block == 232448);
  BOOST_TEST(driver.devices[0].memory == 80ull << 30);
}

BOOST_AUTO_TEST_CASE(no_driver_and_no_device_are_values) {
  const test::TempDir dir;
  BOOST_TEST(probe_cuda_driver(fake_driver(dir, 100, 0)).why ==
             "the CUDA driver reports CUDA_ERROR_NO_DEVICE (no device)");
  BOOST_TEST(probe_cuda_driver(fake_driver(dir, 0, 0)).why == "the CUDA driver finds no GPU");
  const std::string old = probe_cuda_driver(fake_driver(dir, 1, 1, "cuLibraryLoadData")).why;
  BOOST_TEST(old.find("too old (it lacks cuLibraryLoadData)") != std::string::npos, old);
  const CudaDriver none = probe_cuda_driver("/no/such/libcuda.so");
  BOOST_TEST(none.devices.empty());
  BOOST_TEST(none.why.find("no CUDA driver") != std::string::npos, none.why);
}
