#include "eflow/jit/host/module.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <mutex>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/host/checked_text.hpp"
#include "eflow/jit/host/subprocess.hpp"

namespace eflow::jit {
namespace {

[[noreturn]] void fail(const char* what) {
  const char* error = dlerror();
  throw DeviceError(
      str("[jit] a compiled kernel ", what, ": ", error != nullptr ? error : "no reason given"));
}

void* load_from(const std::filesystem::path& directory, std::string_view image) {
  const std::string name = (directory / "kernel.so").string();
  const FileDescriptor file(open(name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0700));
  if (!file.valid()) throw_errno("cannot write a kernel for loading", name);
  write_all(file, name, std::as_bytes(std::span(image)));
  return dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
}

std::filesystem::path temporary() {
  std::error_code code;
  const std::filesystem::path path = std::filesystem::temp_directory_path(code);  // $TMPDIR
  return code ? "/tmp" : path;
}

/// Fallback without /proc or where a sandbox refuses anonymous files: a private file that is removed
/// as soon as it is mapped.
void* load_from_disk(std::string_view image) {
  const ScratchDirectory directory(temporary());
  return load_from(directory.path(), image);
}

/// Debuggers and addr2line read an object's file, which therefore remains until the process ends.
void* load_for_debugger(std::string_view image) {
  static std::mutex mutex;
  static std::deque<ScratchDirectory> directories;
  const std::lock_guard lock(mutex);
  return load_from(directories.emplace_back(temporary()).path(), image);
}

void* load(std::string_view image) {
  // The descriptor stays open. dlopen identifies an object by its path, so a reused descriptor
  // number would return the first object.
  const int memory = memfd_create("eflow-kernel", MFD_CLOEXEC);
  if (memory < 0) return load_from_disk(image);
  const std::string path = str("/proc/self/fd/", memory);
  const FileDescriptor file(fcntl(memory, F_DUPFD_CLOEXEC, 0));
  write_all(file, path, std::as_bytes(std::span(image)));
  if (void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) return handle;
  close(memory);
  return load_from_disk(image);
}

}  // namespace

HostKernel load_host_kernel(std::string_view image, const HostModuleOptions& options) {
  void* handle = options.for_debugger ? load_for_debugger(image) : load(image);
  if (handle == nullptr) fail("cannot be loaded");
  HostKernel kernel;
  kernel.run = reinterpret_cast<void (*)(const void*, const void*)>(dlsym(handle, "eflow_run"));
  const void* bytes = dlsym(handle, "eflow_args_bytes");
  if (kernel.run == nullptr || bytes == nullptr) fail("lacks its entry");
  kernel.args_bytes = static_cast<std::size_t>(*static_cast<const unsigned long long*>(bytes));
  kernel.types = argument_types_of(image);
  kernel.checked = connect_checked(handle);
  if (void* const one_thread = dlsym(handle, "eflow_one_thread"))  // of texts that add atomically
    *static_cast<bool*>(one_thread) = options.one_thread;
  return kernel;
}

}  // namespace eflow::jit
