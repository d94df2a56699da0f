#include "eflow/jit/cuda_driver.hpp"

#include <dlfcn.h>

#include "eflow/base/error.hpp"

namespace eflow::jit {
namespace {

/// Numbers of CUdevice_attribute.
enum Attribute : int {
  kMultiprocessors = 16,
  kL2Bytes = 38,
  kMajor = 75,
  kMinor = 76,
  kSharedPerBlockOptin = 97,
};

/// The functions that we call, declared here so that no CUDA header is needed.
struct DriverTable {
  int (*init)(unsigned);
  int (*version)(int*);
  int (*count)(int*);
  int (*device)(int* device, int ordinal);
  int (*name)(char*, int length, int device);
  int (*attribute)(int* value, int attribute, int device);
  int (*memory)(std::size_t*, int device);
  int (*error_name)(int code, const char**);

  template <class F>
  static bool bind(void* handle, const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(handle, name));
    return function != nullptr;
  }
  bool bind_all(void* h) {
    return bind(h, "cuInit", init) && bind(h, "cuDriverGetVersion", version) &&
           bind(h, "cuDeviceGetCount", count) && bind(h, "cuDeviceGet", device) &&
           bind(h, "cuDeviceGetName", name) && bind(h, "cuDeviceGetAttribute", attribute) &&
           bind(h, "cuDeviceTotalMem_v2", memory) && bind(h, "cuGetErrorName", error_name);
  }
  std::string error(int code) const {
    const char* text = nullptr;
    return error_name(code, &text) == 0 && text != nullptr ? text : str("error ", code);
  }
};

int attribute_of(const DriverTable& cuda, int device, Attribute attribute) {
  int value = 0;
  return cuda.attribute(&value, attribute, device) == 0 ? value : 0;
}

/// 0 or the driver's error code.
int describe(const DriverTable& cuda, int ordinal, CudaDevice& out) {
  int device = 0;
  char name[256] = {};
  std::size_t memory = 0;
  for (const int code : {cuda.device(&device, ordinal), cuda.name(name, sizeof name - 1, device),
                         cuda.memory(&memory, device)}) {
    if (code != 0) return code;
  }
  out = {.name = name,
         .major = attribute_of(cuda, device, kMajor),
         .minor = attribute_of(cuda, device, kMinor),
         .memory = memory,
         .multiprocessors = attribute_of(cuda, device, kMultiprocessors),
         .shared_per_block = attribute_of(cuda, device, kSharedPerBlockOptin),
         .l2 = static_cast<std::uint64_t>(attribute_of(cuda, device, kL2Bytes))};
  return 0;
}

void list_devices(const DriverTable& cuda, CudaDriver& out) {
  int count = 0, code = cuda.init(0);
  if (code == 0) code = cuda.version(&out.version);
  if (code == 0) code = cuda.count(&count);
  for (int i = 0; code == 0 && i < count; ++i) {
    CudaDevice device;
    code = describe(cuda, i, device);
    if (code == 0) out.devices.push_back(device);
  }
  if (code != 0)
    out.why = str("the CUDA driver says ", cuda.error(code));
  else if (count == 0)
    out.why = "the CUDA driver sees no GPU";
}

}  // namespace

std::string CudaDevice::arch() const {
  // From Hopper on, wgmma and TMA need the arch-specific set; consumer parts and what came before have none.
  const bool specific = (major == 9 && minor == 0);
  return str("sm_", major * 10 + minor, specific ? "a" : "");
}

CudaDriver probe_cuda_driver(const std::string& library) {
  CudaDriver out;
  void* handle = dlopen(library.empty() ? "libcuda.so.1" : library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* error = dlerror();
    out.why = str("no CUDA driver (", error != nullptr ? error : "not found", ")");
    return out;
  }
  DriverTable cuda{};
  if (cuda.bind_all(handle))
    list_devices(cuda, out);
  else
    out.why = "the CUDA driver is too old; version 12 or later is needed";
  return out;
}

}  // namespace eflow::jit
