#pragma once
// Races on shared memory: two threads use a byte between the same two barriers of the block, and one
// of them writes. The order of such uses is not defined on a GPU, within a warp either.

#include <cstdint>
#include <string>
#include <unordered_map>

#include "eflow/core/base/error.hpp"

namespace eflow::emulated {

class Races {
 public:
  /// Begins a block.
  void reset() {
    bytes_.clear();
    epoch_ = 1;
  }
  /// All threads of the block have passed a barrier.
  void barrier() { ++epoch_; }

  /// Notes that the thread uses `count` bytes at p. Returns a description of the race; empty: none.
  std::string use(const char* p, std::size_t count, bool writes, int thread) {
    for (std::size_t i = 0; i < count; ++i) {
      Byte& b = bytes_[p + i];
      const bool written = b.write_epoch == epoch_ && b.writer != thread;
      const bool read = b.read_epoch == epoch_ && (b.reader != thread || b.several);
      if (written || (writes && read))
        return str(writes ? "writes" : "reads", " shared memory that thread ",
                   written ? b.writer : b.reader, written ? " writes" : " reads",
                   " between the same two barriers");
      if (writes) {
        b.write_epoch = epoch_;
        b.writer = static_cast<std::int16_t>(thread);
      } else if (b.read_epoch != epoch_) {
        b.read_epoch = epoch_;
        b.reader = static_cast<std::int16_t>(thread);
        b.several = false;
      } else if (b.reader != thread) {
        b.several = true;
      }
    }
    return "";
  }

 private:
  struct Byte {
    std::uint32_t write_epoch = 0, read_epoch = 0;
    std::int16_t writer = 0, reader = 0;
    bool several = false;  ///< whether other threads than `reader` read it too
  };
  std::unordered_map<const char*, Byte> bytes_;
  std::uint32_t epoch_ = 1;
};

}  // namespace eflow::emulated
