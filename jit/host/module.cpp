#include "eflow/jit/host/module.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

[[noreturn]] void fail(const char* what) {
  const char* error = dlerror();
  throw DeviceError(
      str("[jit] a compiled kernel ", what, ": ", error != nullptr ? error : "no reason given"));
}

/// Fallback without /proc: a private file that is unlinked as soon as it is mapped.
void* load_from_disk(std::string_view image) {
  char name[] = "/tmp/eflow-kernel-XXXXXX";
  const FileDescriptor file(mkostemp(name, O_CLOEXEC));
  if (!file.valid()) throw_errno("cannot write a kernel for loading", name);
  write_all(file, name, std::as_bytes(std::span(image)));
  void* handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  unlink(name);
  return handle;
}

void* load(std::string_view image) {
  // The descriptor stays open. dlopen identifies an object by its path, so a reused descriptor
  // number would return the first object.
  const int memory = memfd_create("eflow-kernel", MFD_CLOEXEC);
  if (memory < 0) return load_from_disk(image);
  const std::string path = str("/proc/self/fd/", memory);
  FileDescriptor file(dup(memory));
  write_all(file, path, std::as_bytes(std::span(image)));
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr && access("/proc/self/fd", X_OK) != 0) handle = load_from_disk(image);
  if (handle == nullptr) close(memory);
  return handle;
}

}  // namespace

HostKernel load_host_kernel(std::string_view image) {
  void* handle = load(image);
  if (handle == nullptr) fail("cannot be loaded");
  HostKernel kernel;
  kernel.run = reinterpret_cast<void (*)(const void*, const void*)>(dlsym(handle, "eflow_run"));
  const void* bytes = dlsym(handle, "eflow_args_bytes");
  if (kernel.run == nullptr || bytes == nullptr) fail("lacks its entry");
  kernel.args_bytes = static_cast<std::size_t>(*static_cast<const unsigned long long*>(bytes));
  return kernel;
}

}  // namespace eflow::jit
