#pragma once
// Executes a parsed PTX kernel. The 32 lanes of a warp execute each instruction together, under a
// mask. Lanes that diverge form groups; the group with the lowest instruction runs first, and groups
// that meet are joined. Warps run in an order that the seed selects.
//
// An error of the kernel throws Fault: an access outside an allocation or misaligned, a race on
// shared memory, a read of shared memory never written, an asynchronous copy used before it was
// waited for, a barrier or a warp-wide instruction that only some lanes reach, an unknown
// instruction, no end.

#include <array>
#include <deque>
#include <map>
#include <stdexcept>

#include "eflow/jit/emulation/copy_engine.hpp"
#include "eflow/tests/support/ptx/profile.hpp"
#include "eflow/tests/support/ptx/program.hpp"
#include "eflow/tests/support/ptx/shared_memory.hpp"

namespace eflow::ptx {

/// Names the kernel, the block, the thread and the line of the PTX.
struct Fault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Device memory, as the driver allocated it.
class GlobalMemory {
 public:
  struct Range {
    u64 begin = 0, end = 0;
  };
  virtual ~GlobalMemory() = default;
  /// The allocation that contains the address, or an empty range.
  [[nodiscard]] virtual Range find(u64 address) const = 0;
};

struct Launch {
  u32 grid[3] = {1, 1, 1};
  int threads = 32;
  std::size_t shared_bytes = 0;  ///< dynamic
  const void* params = nullptr;
  unsigned seed = 0;
  Profiler* profiler = nullptr;
};

/// How often warps or threads issued what tests want to see used.
struct Counts {
  long long products = 0;        ///< mma.sync, of a warp
  long long group_products = 0;  ///< wgmma, a warp's part
  long long copies = 0;          ///< cp.async, of a thread
  long long bulk_copies = 0;     ///< cp.async.bulk.tensor
};

/// Runs all blocks, one after the other, and adds to the counts. Throws Fault.
void run(const Program& program, const Launch& launch, const GlobalMemory& memory, Counts& counts);

// What instructions work on.

inline constexpr int kLanes = 32;
using Lanes = std::array<u64, kLanes>;

/// A bulk copy under way.
struct BulkCopy {
  u64 to = 0;  ///< offset in shared memory
  const void* barrier = nullptr;
  std::vector<char> bytes;
};

struct Block {
  const Program& program;
  const Launch& launch;
  const GlobalMemory& memory;
  Counts& counts;
  u32 at[3];
  u32 epoch = 1;  ///< 1 + number of barriers passed
  SharedMemory shared;
  GlobalMemory::Range recent = {};  ///< the allocation accessed last
  emulated::CopyEngine engine = {};
  std::deque<BulkCopy> bulk_copies = {};
  std::map<const void*, u32> announced = {};  ///< bytes, by barrier
  bool progress = false;                      ///< warps that poll shall poll again
  bool arrived = false;                       ///< a barrier was arrived at
};

class Warp {
 public:
  Warp(Block& block, int index);

  enum class State { kReady, kAtBarrier, kDone };
  [[nodiscard]] State state() const { return state_; }
  void pass_barrier() { state_ = State::kReady; }
  /// Whether it polled in vain since the flag was last reset.
  bool polls = false;
  /// Executes one instruction of the lowest group.
  void step();

  // For instructions.
  /// The operand in each lane; `scratch` keeps it if it is no register.
  [[nodiscard]] const u64* read(const Operand& o, Lanes& scratch) const;
  /// The register's lanes, or a place to write what nobody reads.
  [[nodiscard]] u64* write(const Operand& o);
  /// Writes only lanes of the mask.
  void assign(const Operand& o, const Lanes& values, u32 lanes);
  void load(const Instruction& in, u64 address, int lane, void* to, std::size_t bytes);
  void store(const Instruction& in, u64 address, int lane, const void* from, std::size_t bytes);
  /// Generic address of a memory operand in each lane.
  void addresses(const Operand& o, Space space, Lanes& out) const;
  /// Reads shared memory as asynchronous products do.
  void load_async(const Instruction& in, u64 offset, void* to, std::size_t bytes);
  [[nodiscard]] Block& block() const { return block_; }
  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] Access access(int line) const { return {index_, block_.epoch, line}; }
  void require_allocation(const Instruction& in, u64 address, int lane, std::size_t bytes) {
    static_cast<void>(global(in, address, lane, bytes));
  }
  void require_whole_warp(const Instruction& in, u32 lanes) const;
  [[noreturn]] void fail(const Instruction& in, int lane, const std::string& what) const;

  // Asynchronous copies of this warp's threads.
  void copy_async(const Instruction& in, u64 to, u64 from, std::size_t used, int lane);
  void commit(u32 lanes);
  void wait(std::size_t open, u32 lanes);

  Lanes carry{};  ///< the carry flag
  /// An asynchronous product, executed when it is waited for.
  struct Product {
    const Instruction* in;
    u64 a, b;  ///< descriptors
  };
  std::vector<Product> products;

 private:
  struct Group {
    int at;
    u32 lanes;
  };
  struct Copy {
    u64 to;
    int line;
    std::array<u8, 16> bytes;
  };

  /// Host address of global memory.
  char* global(const Instruction& in, u64 address, int lane, std::size_t bytes);
  void align(const Instruction& in, u64 address, int lane, std::size_t bytes) const;
  void merge();

  Block& block_;
  int index_;
  State state_ = State::kReady;
  std::vector<Group> groups_;  ///< sorted by instruction
  std::vector<Lanes> registers_;
  Lanes nowhere_{};
  std::vector<u8> local_;
  std::array<std::vector<Copy>, kLanes> open_;
  std::array<std::deque<std::vector<Copy>>, kLanes> committed_;
};

/// Calls f(lane) for the lanes of the mask.
template <class F>
void each_lane(u32 lanes, F f) {
  if (lanes == 0xffffffffu) {
    for (int i = 0; i < kLanes; ++i) f(i);
  } else {
    for (int i = 0; i < kLanes; ++i) {
      if ((lanes >> i & 1) != 0) f(i);
    }
  }
}

}  // namespace eflow::ptx
