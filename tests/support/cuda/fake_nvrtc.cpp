// A library that poses as NVRTC. It compiles nothing: its cubin is the program text itself, which
// the emulated driver reads to find the kernel to run (emulated_gpu.hpp).

#include <cstddef>
#include <cstring>
#include <string>

namespace {

struct Program {
  std::string source;
};

int give(const std::string& text, char* out) {
  std::memcpy(out, text.c_str(), text.size() + 1);
  return 0;
}

const std::string kPtx = "// Build ID: none, it compiles nothing\n";

}  // namespace

extern "C" {

int nvrtcVersion(int* major, int* minor) {
  return *major = 13, *minor = 0, 0;
}
const char* nvrtcGetErrorString(int) {
  return "no error";
}
int nvrtcCreateProgram(Program** program, const char* source, const char*, int, const char* const*,
                       const char* const*) {
  *program = new Program{source};
  return 0;
}
int nvrtcDestroyProgram(Program** program) {
  delete *program;
  return 0;
}
int nvrtcCompileProgram(Program*, int, const char* const*) {
  return 0;
}
int nvrtcGetProgramLogSize(Program*, std::size_t* size) {
  return *size = 1, 0;
}
int nvrtcGetProgramLog(Program*, char* out) {
  return give("", out);
}
int nvrtcGetCUBINSize(Program* program, std::size_t* size) {
  return *size = program->source.size() + 1, 0;
}
int nvrtcGetCUBIN(Program* program, char* out) {
  return give(program->source, out);
}
int nvrtcGetPTXSize(Program*, std::size_t* size) {
  return *size = kPtx.size() + 1, 0;
}
int nvrtcGetPTX(Program*, char* out) {
  return give(kPtx, out);
}
}
