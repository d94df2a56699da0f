// Lanes, groups, warps and blocks.
#include "eflow/tests/support/ptx/interpreter.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <random>

namespace eflow::ptx {

Warp::Warp(Block& block, int index)
    : block_(block),
      index_(index),
      registers_(static_cast<std::size_t>(block.program.registers)),
      local_(block.program.local_bytes * kLanes) {
  const int threads = std::min(kLanes, block.launch.threads - index * kLanes);
  groups_.push_back({0, threads == kLanes ? 0xffffffffu : (1u << threads) - 1});
}

void Warp::fail(const Instruction& in, int lane, const std::string& what) const {
  const auto& at = block_.at;
  throw Fault(block_.program.kernel + ": " + what + " [block (" + std::to_string(at[0]) + ", " +
              std::to_string(at[1]) + ", " + std::to_string(at[2]) + "), thread " +
              std::to_string(index_ * kLanes + lane) + ", PTX line " + std::to_string(in.line) +
              ": " + in.text + "]");
}

void Warp::step() {
  Group& g = groups_.front();
  const std::vector<Instruction>& code = block_.program.code;
  const Instruction& in = code.at(static_cast<std::size_t>(g.at));
  u32 lanes = g.lanes;
  if (in.guard >= 0) {
    const Lanes& guard = registers_[static_cast<std::size_t>(in.guard)];
    u32 set = 0;
    for (int i = 0; i < kLanes; ++i) set |= static_cast<u32>(guard[i] & 1) << i;
    lanes &= in.guard_negated ? ~set : set;
  }
  if (block_.launch.profiler != nullptr) block_.launch.profiler->observe(*this, in, lanes);
  const int first = std::countr_zero(lanes | 0x80000000u);
  switch (in.flow) {
    case Instruction::Flow::kBranch:
      if (lanes == g.lanes) {
        g.at = in.target;
      } else {
        g.lanes &= ~lanes;
        ++g.at;
        if (lanes != 0) groups_.push_back({in.target, lanes});
      }
      break;
    case Instruction::Flow::kReturn:
      g.lanes &= ~lanes;
      ++g.at;
      break;
    case Instruction::Flow::kBarrier:
      if (groups_.size() > 1 || lanes != g.lanes)
        fail(in, first, "barrier reached by only some lanes of the warp");
      ++g.at;
      state_ = State::kAtBarrier;
      return;
    case Instruction::Flow::kNone:
      if (in.run == nullptr) fail(in, first, "unknown instruction");
      if (lanes != 0) in.run(*this, in, lanes);
      ++g.at;
      break;
  }
  if (groups_.size() > 1 || groups_.front().lanes == 0) merge();
}

void Warp::merge() {
  std::erase_if(groups_, [](const Group& g) { return g.lanes == 0; });
  if (groups_.empty()) state_ = State::kDone;
  std::sort(groups_.begin(), groups_.end(),
            [](const Group& a, const Group& b) { return a.at < b.at; });
  for (std::size_t i = 1; i < groups_.size();) {
    if (groups_[i].at == groups_[i - 1].at) {
      groups_[i - 1].lanes |= groups_[i].lanes;
      groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
}

const u64* Warp::read(const Operand& o, Lanes& scratch) const {
  const auto fill = [&](u64 value) {
    scratch.fill(value);
    return scratch.data();
  };
  switch (o.kind) {
    case Operand::Kind::kRegister:
      return registers_[static_cast<std::size_t>(o.index)].data();
    case Operand::Kind::kConstant:
      return fill(o.value);
    case Operand::Kind::kBlock:
      return fill(block_.at[o.index]);
    case Operand::Kind::kGrid:
      return fill(block_.launch.grid[o.index]);
    case Operand::Kind::kDynamicShared:
      return fill(block_.launch.shared_bytes);
    case Operand::Kind::kThreads:
      return fill(o.index == 0 ? static_cast<u64>(block_.launch.threads) : 1);
    case Operand::Kind::kThread:
      for (int i = 0; i < kLanes; ++i)
        scratch[i] = o.index == 0 ? static_cast<u64>(index_ * kLanes + i) : 0;
      return scratch.data();
    case Operand::Kind::kSink:
    case Operand::Kind::kList:
    case Operand::Kind::kMemory:
      break;
  }
  throw Fault(block_.program.kernel + ": an operand that has no value");
}

u64* Warp::write(const Operand& o) {
  return o.kind == Operand::Kind::kRegister ? registers_[static_cast<std::size_t>(o.index)].data()
                                            : nowhere_.data();
}

void Warp::assign(const Operand& o, const Lanes& values, u32 lanes) {
  u64* const to = write(o);
  each_lane(lanes, [&](int i) { to[i] = values[static_cast<std::size_t>(i)]; });
}

void Warp::require_whole_warp(const Instruction& in, u32 lanes) const {
  if (lanes != 0xffffffffu)
    fail(in, std::countr_zero(~lanes), "this lane does not reach an instruction of the whole warp");
}

void Warp::addresses(const Operand& o, Space space, Lanes& out) const {
  if (o.kind != Operand::Kind::kMemory) throw Fault(block_.program.kernel + ": no address");
  const u64* const base = read(o.parts[0], out);
  if (o.local) space = Space::kLocal;
  const u64 window = space == Space::kShared  ? kSharedWindow
                     : space == Space::kLocal ? kLocalWindow
                     : space == Space::kParam ? kParamWindow
                                              : 0;
  const bool narrow = space == Space::kShared;  // addresses of shared memory may be 32 bits
  for (int i = 0; i < kLanes; ++i) {
    const u64 a = base[i] + o.value;
    out[static_cast<std::size_t>(i)] = window + (narrow ? static_cast<u32>(a) : a);
  }
}

void Warp::align(const Instruction& in, u64 address, int lane, std::size_t bytes) const {
  if (address % bytes != 0)
    fail(in, lane,
         "misaligned access of " + std::to_string(bytes) + " bytes at address " +
             std::to_string(address & ~kWindowMask));
}

char* Warp::global(const Instruction& in, u64 address, int lane, std::size_t bytes) {
  GlobalMemory::Range& r = block_.recent;
  if (address < r.begin || address >= r.end) r = block_.memory.find(address);
  if (address < r.begin || address + bytes > r.end) {
    std::string where = "in no allocation";
    if (r.end != 0)
      where = "at byte " + std::to_string(address - r.begin) + " of an allocation of " +
              std::to_string(r.end - r.begin);
    fail(in, lane, "out of bounds: accesses " + std::to_string(bytes) + " bytes " + where);
  }
  return reinterpret_cast<char*>(address);
}

void Warp::load(const Instruction& in, u64 address, int lane, void* to, std::size_t bytes) {
  align(in, address, lane, bytes);
  const u64 offset = address & ~kWindowMask;
  const auto copy = [&](const u8* from, std::size_t size, const char* what) {
    if (offset + bytes > size)
      fail(in, lane,
           std::string("out of bounds: reads byte ") + std::to_string(offset) + " of " +
               std::to_string(size) + what);
    std::memcpy(to, from + offset, bytes);
  };
  const Program& p = block_.program;
  switch (address & kWindowMask) {
    case kSharedWindow: {
      const std::string fault = block_.shared.load(access(in.line), offset, to, bytes);
      if (!fault.empty()) fail(in, lane, fault);
      return;
    }
    case kLocalWindow:
      return copy(local_.data() + static_cast<std::size_t>(lane) * p.local_bytes, p.local_bytes,
                  " of local memory");
    case kParamWindow:
      return copy(static_cast<const u8*>(block_.launch.params), p.params_bytes, " of parameters");
    case kVariableWindow:
      return copy(p.variables.data(), p.variables.size(), " of variables");
    default:
      std::memcpy(to, global(in, address, lane, bytes), bytes);
  }
}

void Warp::store(const Instruction& in, u64 address, int lane, const void* from,
                 std::size_t bytes) {
  align(in, address, lane, bytes);
  const u64 offset = address & ~kWindowMask;
  const std::size_t local = block_.program.local_bytes;
  switch (address & kWindowMask) {
    case kSharedWindow: {
      const std::string fault = block_.shared.store(access(in.line), offset, from, bytes);
      if (!fault.empty()) fail(in, lane, fault);
      return;
    }
    case kLocalWindow:
      if (offset + bytes > local) fail(in, lane, "out of bounds: writes beyond local memory");
      std::memcpy(local_.data() + static_cast<std::size_t>(lane) * local + offset, from, bytes);
      return;
    case kParamWindow:
    case kVariableWindow:
      fail(in, lane, "writes to read-only memory");
    default:
      std::memcpy(global(in, address, lane, bytes), from, bytes);
  }
}

void Warp::load_async(const Instruction& in, u64 offset, void* to, std::size_t bytes) {
  const std::string fault = block_.shared.load(access(in.line), offset, to, bytes, Proxy::kAsync);
  if (!fault.empty()) fail(in, 0, fault);
}

void Warp::copy_async(const Instruction& in, u64 to, u64 from, std::size_t used, int lane) {
  align(in, to, lane, 16);
  align(in, from, lane, 16);
  Copy copy{to & ~kWindowMask, in.line, {}};
  if (used > 0) std::memcpy(copy.bytes.data(), global(in, from, lane, used), used);
  const std::string fault = block_.shared.begin_copy(access(in.line), copy.to, 16);
  if (!fault.empty()) fail(in, lane, fault);
  open_[static_cast<std::size_t>(lane)].push_back(copy);
}

void Warp::commit(u32 lanes) {
  each_lane(lanes, [&](int i) {
    const auto lane = static_cast<std::size_t>(i);
    committed_[lane].push_back(std::move(open_[lane]));
    open_[lane].clear();
  });
}

/// Copies land as late as they may: when their thread waits for them.
void Warp::wait(std::size_t open, u32 lanes) {
  each_lane(lanes, [&](int i) {
    auto& groups = committed_[static_cast<std::size_t>(i)];
    for (; groups.size() > open; groups.pop_front()) {
      for (const Copy& c : groups.front())
        block_.shared.land(access(c.line), c.to, c.bytes.data(), c.bytes.size());
    }
  });
}

namespace {

/// Which warp runs next, and for how many instructions. Of three seeds, one prefers the first warp,
/// one the last, and one chooses at random.
class Order {
 public:
  explicit Order(unsigned seed) : mode_(seed % 3), random_(seed) {}
  std::size_t choose(const std::vector<std::size_t>& ready) {
    if (mode_ == 0) return ready.front();
    if (mode_ == 1) return ready.back();
    return ready[random_() % ready.size()];
  }
  int turn() { return mode_ < 2 ? 1 << 30 : static_cast<int>(1 + random_() % 64); }

 private:
  unsigned mode_;
  std::minstd_rand random_;
};

void run_block(const Program& program, const Launch& launch, const GlobalMemory& memory,
               Counts& counts, const u32 (&at)[3]) {
  Block block{program,
              launch,
              memory,
              counts,
              {at[0], at[1], at[2]},
              1,
              SharedMemory(program.shared_bytes + launch.shared_bytes)};
  std::deque<Warp> warps;
  for (int i = 0; i * kLanes < launch.threads; ++i) warps.emplace_back(block, i);
  if (launch.profiler != nullptr) launch.profiler->begin_block(static_cast<int>(warps.size()));
  Order order(launch.seed);
  long long left = 200'000'000;  // instructions
  int vain = 0;                  // rounds in which every warp polled and nothing arrived
  for (;;) {
    std::vector<std::size_t> ready;
    bool done = true, running = false;
    for (std::size_t i = 0; i < warps.size(); ++i) {
      if (block.progress) warps[i].polls = false;
      running = running || warps[i].state() == Warp::State::kReady;
      if (warps[i].state() == Warp::State::kReady && !warps[i].polls) ready.push_back(i);
      done = done && warps[i].state() == Warp::State::kDone;
    }
    block.progress = ready.empty() && running;  // all poll: once more
    if (done) {
      if (launch.profiler != nullptr) launch.profiler->end_block();
      return;
    }
    if (block.progress) {
      if (++vain > 100) throw Fault(program.kernel + ": does not end: no arrival at a barrier");
      continue;
    }
    if (ready.empty()) {  // all that have not ended are at the barrier
      ++block.epoch;
      for (Warp& warp : warps) {
        if (warp.state() == Warp::State::kAtBarrier) warp.pass_barrier();
      }
      continue;
    }
    Warp& warp = warps[order.choose(ready)];
    if (block.arrived) vain = 0;
    block.arrived = false;
    for (int turn = order.turn(); turn > 0 && warp.state() == Warp::State::kReady && !warp.polls;
         --turn, --left) {
      if (left == 0) throw Fault(program.kernel + ": does not end");
      warp.step();
    }
  }
}

}  // namespace

void run(const Program& program, const Launch& launch, const GlobalMemory& memory, Counts& counts) {
  u32 at[3];
  for (at[2] = 0; at[2] < launch.grid[2]; ++at[2])
    for (at[1] = 0; at[1] < launch.grid[1]; ++at[1])
      for (at[0] = 0; at[0] < launch.grid[0]; ++at[0])
        run_block(program, launch, memory, counts, at);
}

}  // namespace eflow::ptx
