#include "eflow/jit/cuda/nvtx.hpp"

#include <dlfcn.h>

#include "eflow/jit/cuda/library.hpp"

namespace eflow::jit {
namespace {

struct Nvtx {
  int (*push)(const char*) = nullptr;
  int (*pop)() = nullptr;

  Nvtx() {
    void* library = dlopen("libnvToolsExt.so.1", RTLD_NOW | RTLD_LOCAL);
    for (const std::string& path : cuda_library_paths("libnvToolsExt.so")) {
      if (library != nullptr) break;
      library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    }
    if (library == nullptr) return;
    push = reinterpret_cast<int (*)(const char*)>(dlsym(library, "nvtxRangePushA"));
    pop = reinterpret_cast<int (*)()>(dlsym(library, "nvtxRangePop"));
  }
};

const Nvtx& nvtx() {
  static const Nvtx library;
  return library;
}

}  // namespace

void nvtx_push(const char* name) {
  if (nvtx().push != nullptr) nvtx().push(name);
}
void nvtx_pop() {
  if (nvtx().pop != nullptr) nvtx().pop();
}

}  // namespace eflow::jit
