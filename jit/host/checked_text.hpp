#pragma once
// Runs blocks of a checked text (EFLOW_CHECK=on). Every access of such a text, its undefined behaviour
// and what it says and requires end in this file (kernels_src/tile/base/checked.h), which knows the
// memory that the block may touch. The first error ends the block.

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct HostBlock;

struct MemoryRegion {
  const char* begin = nullptr;
  std::size_t bytes = 0;
};

/// The memory that checked texts may touch besides their own. Threads: all members may be called
/// concurrently.
class KnownMemory {
 public:
  void add(const void* p, std::size_t bytes);
  void remove(const void* p);
  /// All regions, by address.
  [[nodiscard]] std::vector<MemoryRegion> regions() const;

 private:
  mutable std::mutex mutex_;
  std::map<const char*, std::size_t> regions_;
};

/// Connects a loaded text with this file if it is a checked one. Returns whether it is.
bool connect_checked(void* handle);

/// One launch, for its blocks.
struct CheckedLaunch {
  void (*run)(const void* block, const void* args);
  const void* args;
  std::size_t args_bytes;
  /// Without any region, a text may touch all memory of the process.
  const std::vector<MemoryRegion>& memory;
};

/// Runs a block. Returns the first error: "writes 4 bytes at ..., 0 bytes behind ... (acme/scale.h:7)";
/// empty if there is none.
[[nodiscard]] std::string run_checked(const CheckedLaunch& launch, const HostBlock& block);

}  // namespace eflow::jit

EFLOW_EXPORT_END
