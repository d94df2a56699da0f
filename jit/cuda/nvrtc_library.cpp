#include "eflow/jit/cuda/nvrtc_library.hpp"

#include "eflow/jit/cuda/library.hpp"

namespace eflow::jit {
namespace {

bool bind_all(void* h, NvrtcLibrary& l) {
  bind(h, "nvrtcSetFlowCallback", l.set_flow_callback);
  return bind(h, "nvrtcVersion", l.version) && bind(h, "nvrtcGetErrorString", l.error_string) &&
         bind(h, "nvrtcCreateProgram", l.create) && bind(h, "nvrtcDestroyProgram", l.destroy) &&
         bind(h, "nvrtcCompileProgram", l.compile) &&
         bind(h, "nvrtcGetProgramLogSize", l.log_size) && bind(h, "nvrtcGetProgramLog", l.log) &&
         bind(h, "nvrtcGetCUBINSize", l.cubin_size) && bind(h, "nvrtcGetCUBIN", l.cubin) &&
         bind(h, "nvrtcGetPTXSize", l.ptx_size) && bind(h, "nvrtcGetPTX", l.ptx) &&
         l.version(&l.major, &l.minor) == 0;
}

}  // namespace

std::optional<NvrtcLibrary> open_nvrtc(const std::string& named, std::string& why) {
  NvrtcLibrary library{};
  const auto take = [&](void* handle, const std::string& path) {
    library = {};
    library.path = path;
    return bind_all(handle, library);
  };
  if (!open_cuda_library({.title = "NVRTC", .name = "libnvrtc", .variable = "EFLOW_NVRTC"}, named,
                         take, why))
    return std::nullopt;
  return library;
}

}  // namespace eflow::jit
