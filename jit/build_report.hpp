#pragma once
// What preparing kernels tells: where each came from, what happens meanwhile, and the counts.

#include <cstdint>
#include <functional>
#include <string_view>

#include "eflow/jit/build_request.hpp"

namespace eflow::jit {

/// Where a kernel came from.
enum class Origin { kBuiltin, kMemory, kPack, kDisk, kCompiled };
/// "built in", "memory", "pack", "disk cache", "compiled".
[[nodiscard]] std::string_view name_of(Origin origin);

/// What a user may want to be told. Called from compile threads, several at once; must not throw.
struct Events {
  std::function<void(const BuildRequest&, std::string_view why)>
      on_miss;  ///< no cache had it; why the last one had not
  std::function<void(const BuildRequest&)> on_compile_begin;
  /// error is empty when it compiled.
  std::function<void(const BuildRequest&, double seconds, std::string_view error)> on_compile_end;
};

struct Stats {
  std::uint64_t memory_hits = 0, pack_hits = 0, disk_hits = 0, misses = 0, compiled = 0, failed = 0;
  double compile_seconds = 0;  ///< of all threads together
};

}  // namespace eflow::jit
