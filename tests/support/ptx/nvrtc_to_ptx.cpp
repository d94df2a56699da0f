// A library that poses as NVRTC. It passes every call on to the real NVRTC, which EFLOW_PTX_NVRTC
// names, but stops at PTX: what it returns as the cubin is the PTX of the program, behind one line
// that names the kernel. The driver of ptx_gpu.hpp interprets it.

#include <dlfcn.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

void* library() {
  static void* const handle = [] {
    const char* const path = std::getenv("EFLOW_PTX_NVRTC");
    void* const opened = path == nullptr ? nullptr : dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) {
      std::fprintf(stderr, "EFLOW_PTX_NVRTC must name NVRTC: %s\n",
                   path == nullptr ? "it is not set" : dlerror());
      std::abort();
    }
    return opened;
  }();
  return handle;
}

template <class F>
F* real(const char* name) {
  void* const function = dlsym(library(), name);
  if (function == nullptr) std::abort();
  return reinterpret_cast<F*>(function);
}

struct Program {
  void* real = nullptr;
  std::string kernel;
};

using GetSize = int(void*, std::size_t*);
using GetText = int(void*, char*);

/// "// kernel NAME\n", NAME being the C++ name of the specialisation that the program instantiates.
std::string title(const std::string& source) {
  const std::string mark = "#define EFLOW_ENTRY ";
  const std::size_t at = source.find(mark);
  if (at == std::string::npos) return "// kernel ?\n";
  const std::size_t begin = at + mark.size();
  return "// kernel " + source.substr(begin, source.find('\n', begin) - begin) + "\n";
}

}  // namespace

extern "C" {

int nvrtcVersion(int* major, int* minor) {
  return real<int(int*, int*)>("nvrtcVersion")(major, minor);
}
const char* nvrtcGetErrorString(int code) {
  return real<const char*(int)>("nvrtcGetErrorString")(code);
}
int nvrtcCreateProgram(Program** program, const char* source, const char* name, int headers,
                       const char* const* texts, const char* const* names) {
  *program = new Program{nullptr, title(source)};
  return real<int(void**, const char*, const char*, int, const char* const*, const char* const*)>(
      "nvrtcCreateProgram")(&(*program)->real, source, name, headers, texts, names);
}
int nvrtcDestroyProgram(Program** program) {
  const int code = real<int(void**)>("nvrtcDestroyProgram")(&(*program)->real);
  delete *program;
  return code;
}
/// For an architecture of PTX, "compute_80", instead of one of machine code, "sm_80".
int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  std::vector<std::string> texts;
  for (int i = 0; i < count; ++i) {
    std::string option = options[i];
    if (option.starts_with("--ptxas-options")) continue;
    if (const std::size_t at = option.find("=sm_"); at != std::string::npos)
      option.replace(at, 4, "=compute_");
    texts.push_back(option);
  }
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return real<int(void*, int, const char* const*)>("nvrtcCompileProgram")(
      program->real, static_cast<int>(pointers.size()), pointers.data());
}
int nvrtcGetProgramLogSize(Program* program, std::size_t* size) {
  return real<GetSize>("nvrtcGetProgramLogSize")(program->real, size);
}
int nvrtcGetProgramLog(Program* program, char* out) {
  return real<GetText>("nvrtcGetProgramLog")(program->real, out);
}
int nvrtcGetPTXSize(Program* program, std::size_t* size) {
  return real<GetSize>("nvrtcGetPTXSize")(program->real, size);
}
int nvrtcGetPTX(Program* program, char* out) {
  return real<GetText>("nvrtcGetPTX")(program->real, out);
}
int nvrtcGetCUBINSize(Program* program, std::size_t* size) {
  const int code = nvrtcGetPTXSize(program, size);
  *size += program->kernel.size();
  return code;
}
int nvrtcGetCUBIN(Program* program, char* out) {
  std::memcpy(out, program->kernel.data(), program->kernel.size());
  return nvrtcGetPTX(program, out + program->kernel.size());
}
}
