#pragma once
// Shared memory of one interpreted block. It remembers for each byte who wrote and read it last, so
// it detects reads of bytes never written, races between warps, and uses of asynchronous copies
// that have not been waited for.

#include <array>
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

/// Asynchronous: the path of wgmma and of bulk copies, for which a fence must publish other writes.
enum class Proxy { kGeneric, kAsync };

class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);

  // Each returns a description of the fault, or "".
  [[nodiscard]] std::string load(const Access& by, u64 offset, void* to, std::size_t bytes,
                                 Proxy proxy = Proxy::kGeneric);
  [[nodiscard]] std::string store(const Access& by, u64 offset, const void* from,
                                  std::size_t bytes);
  /// Marks the destination of a copy; until land(), nobody may use it.
  [[nodiscard]] std::string begin_copy(const Access& by, u64 offset, std::size_t bytes);
  /// Makes what the warp wrote visible to asynchronous products and bulk copies.
  void fence(int warp) { fenced_.at(static_cast<std::size_t>(warp)) = clock_; }
  /// The bytes of a bulk copy arrive, for all who wait for its barrier.
  void land_bulk(u64 offset, const void* from, std::size_t bytes);
  /// The copy's bytes arrive; from now on they are as if `by` had stored them.
  void land(const Access& by, u64 offset, const void* from, std::size_t bytes);

 private:
  static constexpr int kBulk = -1;
  struct Byte {
    u32 written = 0, read = 0;  ///< epochs; 0: never
    u32 readers = 0;            ///< bits of the warps that read it in epoch `read`
    int writer = 0;             ///< a warp, or kBulk
    int write_line = 0, read_line = 0;
    bool in_flight = false;
    u64 time = 0;  ///< of the write, by clock_; 0: by a bulk copy
  };

  [[nodiscard]] std::string outside(u64 offset, std::size_t bytes) const;
  [[nodiscard]] std::string claim(const Access& by, u64 offset, std::size_t bytes, bool in_flight);

  std::vector<u8> bytes_;
  std::vector<Byte> state_;
  u64 clock_ = 0;                    ///< number of writes
  std::array<u64, 32> fenced_ = {};  ///< clock at each warp's last fence
};

}  // namespace eflow::ptx
