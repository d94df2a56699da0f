#include "eflow/jit/emulation/launch.hpp"

#include <dlfcn.h>
#include <link.h>

#include <mutex>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/emulation/machine.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"

namespace eflow::jit {
namespace {

/// What a block of any supported GPU may have.
constexpr std::size_t kSharedBytes = 227 << 10;

Dl_info object_of(const HostKernel& kernel) {
  Dl_info info{};
  dladdr(reinterpret_cast<const void*>(kernel.run), &info);
  return info;
}

/// The variables of the kernel's shared object, where shared variables of the text are.
MemoryRegion variables_of(const HostKernel& kernel) {
  struct Search {
    const void* base;
    MemoryRegion found;
  } search{object_of(kernel).dli_fbase, {}};
  dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* context) {
        Search& s = *static_cast<Search*>(context);
        if (reinterpret_cast<const void*>(object->dlpi_addr) != s.base) return 0;
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const auto& part = object->dlpi_phdr[i];
          if (part.p_type == PT_LOAD && (part.p_flags & PF_W) != 0)
            s.found = {reinterpret_cast<const char*>(object->dlpi_addr + part.p_vaddr),
                       part.p_memsz};
        }
        return 1;
      },
      &search);
  return search.found;
}

class Threads final : public CheckedThreads {
 public:
  bool access(const char* p, std::size_t bytes, bool writes, std::string& error) override {
    return emulated::check_access(p, bytes, writes, error);
  }
  [[noreturn]] void end(std::string error) override { emulated::fail(std::move(error)); }
};

}  // namespace

void connect_emulated(HostKernel& kernel, int threads) {
  void* const handle = dlopen(object_of(kernel).dli_fname, RTLD_NOW | RTLD_NOLOAD);
  auto* const calls = handle == nullptr
                          ? nullptr
                          : static_cast<const emulated::Calls**>(dlsym(handle, "eflow_machine"));
  if (handle != nullptr) dlclose(handle);
  if (calls == nullptr)
    throw DeviceError("[jit] a kernel was not compiled for an emulated GPU; delete the cache");
  *calls = &emulated::calls();
  kernel.emulated_threads = threads;
}

void launch_emulated(const HostKernel& kernel, std::string_view name, const KernelSpec& spec,
                     Grid grid, const void* args, std::size_t bytes, const KnownMemory& memory) {
  static std::mutex one_at_a_time;
  static long long launches = 0;
  const std::lock_guard lock(one_at_a_time);
  const std::vector<MemoryRegion> regions = memory.regions();
  Threads threads;
  const CheckedLaunch checked{kernel.run, args, bytes, regions};
  CheckedScope scope(checked, threads);
  const MemoryRegion variables = variables_of(kernel);
  long long at[3] = {};
  emulated::Launch launch{.threads = kernel.emulated_threads,
                          .shared_bytes = kSharedBytes,
                          .x = grid.x,
                          .y = grid.y,
                          .z = grid.z,
                          // Orders alternate: results must not depend on them.
                          .schedule = {.last_first = launches++ % 2 == 1, .late_copies = true},
                          .races = true,
                          .statics = variables.begin,
                          .static_bytes = variables.bytes};
  launch.begin_block = [&](long long x, long long y, long long z) {
    at[0] = x, at[1] = y, at[2] = z;
    scope.set_block({x, y, z, grid.x, grid.y, grid.z, nullptr});
  };
  const emulated::Outcome outcome = emulated::run(launch, kernel.run, args);
  if (!outcome.error.empty())
    throw DeviceError(str("[jit] ", to_string(spec, name), " on an emulated GPU, block (", at[0],
                          ", ", at[1], ", ", at[2], "), ", outcome.error));
}

}  // namespace eflow::jit
