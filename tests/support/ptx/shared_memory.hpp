#pragma once
// Shared memory of one interpreted block. It remembers for each byte who wrote and read it last, so
// it detects reads of bytes never written, races between warps, and uses of asynchronous copies
// that have not been waited for.

#include <string>
#include <vector>

#include "eflow/tests/support/ptx/program.hpp"

namespace eflow::ptx {

/// Who accesses the memory: a warp, between two barriers of the block, by an instruction.
struct Access {
  int warp = 0;
  u32 epoch = 1;  ///< 1 + number of barriers passed
  int line = 0;
};

class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);

  // Each returns a description of the fault, or "".
  [[nodiscard]] std::string load(const Access& by, u64 offset, void* to, std::size_t bytes);
  [[nodiscard]] std::string store(const Access& by, u64 offset, const void* from,
                                  std::size_t bytes);
  /// Marks the destination of a copy; until land(), nobody may use it.
  [[nodiscard]] std::string begin_copy(const Access& by, u64 offset, std::size_t bytes);
  /// The copy's bytes arrive; from now on they are as if `by` had stored them.
  void land(const Access& by, u64 offset, const void* from, std::size_t bytes);

 private:
  struct Byte {
    u32 written = 0, read = 0;  ///< epochs; 0: never
    u32 readers = 0;            ///< bits of the warps that read it in epoch `read`
    int writer = 0;
    int write_line = 0, read_line = 0;
    bool in_flight = false;
  };

  [[nodiscard]] std::string outside(u64 offset, std::size_t bytes) const;
  [[nodiscard]] std::string claim(const Access& by, u64 offset, std::size_t bytes, bool in_flight);

  std::vector<u8> bytes_;
  std::vector<Byte> state_;
};

}  // namespace eflow::ptx
