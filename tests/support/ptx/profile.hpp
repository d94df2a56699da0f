#pragma once
// What the warps of interpreted launches issue, touch and wait for: the numbers from which
// benchmarks/gpu_model.cpp predicts times.
//
// Issue slots are estimated for each PTX instruction (profile_costs.cpp); the assembler's schedule
// is not known. The critical path of a warp takes latencies of an H100: within a stretch without
// branches and global stores, instructions wait for their operands only, as the assembler may order
// them so; the next stretch begins when all of the previous one have been issued.

#include <array>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "eflow/tests/support/ptx/program.hpp"

namespace eflow::ptx {

/// Totals of a launch, or of several. Bytes of global memory are those of sectors of 32 bytes.
struct Profile {
  long long blocks = 0, warps = 0;
  double issue = 0;             ///< issue slots of a warp scheduler
  double special = 0;           ///< instructions of a warp for the special function unit
  double doubles = 0;           ///< instructions of a warp in f64
  double products = 0;          ///< floating-point operations of mma.sync
  double group_products = 0;    ///< of wgmma
  double level1 = 0;            ///< passes of 128 bytes through shared memory and the L1 cache
  double level2 = 0;            ///< bytes between L1 and L2
  double memory = 0;            ///< bytes of distinct sectors read, plus those of sectors written
  double wide = 0, narrow = 0;  ///< global accesses of a warp, by 16 bytes per lane and by less
  double path = 0;              ///< cycles: for each block its longest warp, added over the blocks

  Profile& operator+=(const Profile& other);
};

/// How an instruction is counted.
struct Cost {
  enum class Kind { kPlain, kLoad, kStore, kCopy, kMatrix, kProduct, kGroupProduct, kBarrier };
  Kind kind = Kind::kPlain;
  double issue = 1, special = 0, doubles = 0;
  int latency = 4;  ///< cycles until the result may be used; of a load: from shared memory
};
[[nodiscard]] Cost cost_of(const Instruction& in);

class Warp;

/// Watches a launch, whose blocks run one after the other.
class Profiler {
 public:
  explicit Profiler(const Program& program);
  void begin_block(int warps);
  /// Called before each instruction. lanes: those that execute it.
  void observe(const Warp& warp, const Instruction& in, u32 lanes);
  void end_block();
  [[nodiscard]] const Profile& profile() const { return total_; }

 private:
  struct WarpTime {
    std::vector<int> ready;  ///< when each register's value is there, in cycles
    int now = 0;             ///< when the current stretch began
    int stretch = 0;         ///< when its last instruction so far could be issued
    int after_store = 0;     ///< when its last store could be issued
    double issued = 0;       ///< slots of the stretch
    u32 epoch = 1;
  };

  void end_stretch(WarpTime& time);
  [[nodiscard]] int operands_ready(const WarpTime& time, const Instruction& in,
                                   bool writes_first) const;
  void set_ready(WarpTime& time, const Operand& o, int when);
  /// Counts an access of `bytes` per lane; returns its latency.
  int access(const Warp& warp, const Operand& at, Space space, int bytes, u32 lanes, bool stores,
             int shared_latency);
  int global_access(const std::array<u64, 32>& at, int bytes, u32 lanes, bool stores);

  std::vector<Cost> costs_;  ///< by the instruction's index
  const Program& program_;
  std::vector<WarpTime> warps_;
  std::unordered_map<u32, int> barriers_;  ///< latest arrival, by epoch
  std::unordered_set<u64> read_, written_;
  /// Sectors that the block has read lately: its share of the L1 cache.
  std::unordered_set<u64> cached_;
  std::vector<u64> cached_order_;
  std::size_t oldest_ = 0;
  Profile total_;
};

}  // namespace eflow::ptx
