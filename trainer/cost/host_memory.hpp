#pragma once
// The memory of this machine. A process that asks for more of it is killed without a word, because
// the kernel grants memory that it does not have.

#include <cstdint>
#include <filesystem>

namespace eflow::trainer {

/// Bytes of memory and swap, used or not; 0 if unknown. Limits of control groups are not seen.
/// `root` is put before the path that is read, for tests. Never throws.
[[nodiscard]] std::uint64_t host_memory(const std::filesystem::path& root = "/");

}  // namespace eflow::trainer
