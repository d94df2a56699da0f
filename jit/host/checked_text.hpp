#pragma once
// Runs blocks of a checked text (EFLOW_CHECK=on). Every access of such a text, its undefined behaviour
// and what it says and requires end in this file (kernels_src/tile/base/checked.h), which knows the
// memory that the block may touch. The first error ends the block.

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <set>
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
  /// Takes back one add(p, bytes).
  void remove(const void* p, std::size_t bytes);
  /// All regions, by address.
  [[nodiscard]] std::vector<MemoryRegion> regions() const;

 private:
  mutable std::mutex mutex_;
  std::map<const char*, std::multiset<std::size_t>> regions_;
};

/// Connects a loaded text with this file if it is a checked one. Returns whether it is.
bool connect_checked(void* handle);

/// Who runs the threads of a block, if it has several (jit/emulation).
class CheckedThreads {
 public:
  virtual ~CheckedThreads() = default;
  /// Whether an access is to memory of the block's own. `error` receives what is wrong with it.
  virtual bool access(const char* p, std::size_t bytes, bool writes, std::string& error) = 0;
  /// Ends the launch. Nothing on the caller's stack is destroyed.
  [[noreturn]] virtual void end(std::string error) = 0;
};

/// One launch, for its blocks.
struct CheckedLaunch {
  void (*run)(const void* block, const void* args);
  const void* args;
  std::size_t args_bytes;
  /// Without any region, a text may touch all memory of the process.
  const std::vector<MemoryRegion>& memory;
};

/// Answers the checks of a text that `threads` runs, on this thread and during its life.
class CheckedScope {
 public:
  CheckedScope(const CheckedLaunch& launch, CheckedThreads& threads);
  ~CheckedScope();
  CheckedScope(const CheckedScope&) = delete;
  CheckedScope& operator=(const CheckedScope&) = delete;
  /// Before each block.
  void set_block(const HostBlock& block);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Runs a block. Returns the first error: "writes 4 bytes at ..., 0 bytes behind ... (acme/scale.h:7)";
/// empty if there is none.
[[nodiscard]] std::string run_checked(const CheckedLaunch& launch, const HostBlock& block);

}  // namespace eflow::jit

EFLOW_EXPORT_END
