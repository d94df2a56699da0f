#include "eflow/jit/cuda/driver.hpp"

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

int attribute_of(const CudaApi& cuda, int device, int attribute) {
  int value = 0;
  return cuda.device_attribute(&value, attribute, device) == 0 ? value : 0;
}

/// Lists the devices. Returns 0 or the driver's error code.
int describe(const CudaApi& cuda, int ordinal, CudaDevice& out) {
  int device = 0;
  char name[256] = {};
  std::size_t memory = 0;
  for (const int code :
       {cuda.device_get(&device, ordinal), cuda.device_name(name, sizeof name - 1, device),
        cuda.device_memory(&memory, device)}) {
    if (code != 0) return code;
  }
  out = {.name = name,
         .major = attribute_of(cuda, device, cu::kDeviceMajor),
         .minor = attribute_of(cuda, device, cu::kDeviceMinor),
         .memory = memory,
         .multiprocessors = attribute_of(cuda, device, cu::kDeviceMultiprocessors),
         .shared_per_block = attribute_of(cuda, device, cu::kDeviceSharedPerBlockOptin),
         .l2 = static_cast<std::uint64_t>(attribute_of(cuda, device, cu::kDeviceL2Bytes))};
  return 0;
}

void list_devices(const CudaApi& cuda, CudaDriver& out) {
  int count = 0, code = cuda.init(0);
  if (code == 0) code = cuda.driver_version(&out.version);
  if (code == 0) code = cuda.device_count(&count);
  for (int i = 0; code == 0 && i < count; ++i) {
    CudaDevice device;
    code = describe(cuda, i, device);
    if (code == 0) out.devices.push_back(device);
  }
  if (code != 0)
    out.why = str("the CUDA driver reports ", cuda.error(code));
  else if (count == 0)
    out.why = "the CUDA driver finds no GPU";
}

}  // namespace

std::string CudaDevice::arch() const {
  // wgmma needs Hopper's architecture-specific feature set; the kernels use no other architecture's
  // set.
  const bool specific = (major == 9 && minor == 0);
  return str("sm_", major * 10 + minor, specific ? "a" : "");
}

CudaDriver probe_cuda_driver(const std::string& library) {
  CudaDriver out;
  if (const std::optional<CudaApi> cuda = open_cuda_api(library, out.why))
    out = probe_cuda_driver(*cuda);
  return out;
}

CudaDriver probe_cuda_driver(const CudaApi& cuda) {
  CudaDriver out;
  list_devices(cuda, out);
  return out;
}

std::string resolve_device(std::string_view name, const CudaApi* cuda, const std::string& library) {
  if (name == "auto") {
    const CudaDriver found =
        cuda != nullptr ? probe_cuda_driver(*cuda) : probe_cuda_driver(library);
    return found.devices.empty() ? "cpu" : "cuda:0";
  }
  if (name == "cpu") return "cpu";
  if (name == "cuda") return "cuda:0";
  const std::string_view digits = name.starts_with("cuda:") ? name.substr(5) : "";
  const bool number = !digits.empty() && digits.size() <= 4 &&
                      digits.find_first_not_of("0123456789") == std::string_view::npos;
  if (!number) {
    throw InvalidArgument(str("[jit] device \"", name,
                              "\" is unknown; expected cpu, cuda, cuda:0, cuda:1, ... or auto"));
  }
  return std::string(name);
}

}  // namespace eflow::jit
