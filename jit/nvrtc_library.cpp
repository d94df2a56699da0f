#include "eflow/jit/nvrtc_library.hpp"

#include <dlfcn.h>

#include <vector>

#include "eflow/base/error.hpp"
#include "eflow/jit/cuda_library.hpp"

namespace eflow::jit {
namespace {

template <class F>
bool bind(void* handle, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(handle, name));
  return function != nullptr;
}

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
  const std::vector<std::string> paths =
      named.empty() ? cuda_library_paths("libnvrtc.so") : std::vector<std::string>{named};
  for (const std::string& path : paths) {
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      if (const char* error = dlerror(); why.empty() && error != nullptr) why = error;
      continue;
    }
    NvrtcLibrary library{};
    library.path = path;
    if (bind_all(handle, library)) return library;
    why = str(path, " lacks functions that NVRTC 12 has");
  }
  why = str("no NVRTC (", why, "); install CUDA's libnvrtc, or name it in EFLOW_NVRTC");
  return std::nullopt;
}

}  // namespace eflow::jit
