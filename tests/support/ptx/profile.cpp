#include "eflow/tests/support/ptx/profile.hpp"

#include <algorithm>

#include "eflow/tests/support/ptx/interpreter.hpp"

namespace eflow::ptx {
namespace {

constexpr int kSector = 32;            // bytes
constexpr std::size_t kCached = 4096;  // sectors: 128 KiB, what shared memory leaves at least
// Cycles from a load to its first use.
constexpr int kFromMemory = 700, kFromLevel2 = 270, kFromLevel1 = 40;

/// Passes of an access to shared memory: a pass serves 128 bytes, and no two words of one bank.
double shared_passes(const std::array<u64, 32>& at, int bytes, u32 lanes) {
  const int group = std::max(1, std::min(32, 128 / bytes));  // lanes served together
  double passes = 0;
  for (int first = 0; first < 32; first += group) {
    std::array<std::vector<u64>, 32> words;  // by bank
    std::size_t most = 0;
    for (int lane = first; lane < first + group; ++lane) {
      if ((lanes >> lane & 1) == 0) continue;
      for (int b = 0; b < bytes; b += 4) {
        const u64 word = (at[static_cast<std::size_t>(lane)] + static_cast<u64>(b)) / 4;
        std::vector<u64>& bank = words[word % 32];
        if (std::find(bank.begin(), bank.end(), word) == bank.end()) bank.push_back(word);
        most = std::max(most, bank.size());
      }
    }
    passes += static_cast<double>(most);
  }
  return passes;
}

}  // namespace

Profile& Profile::operator+=(const Profile& other) {
  blocks += other.blocks;
  warps += other.warps;
  for (const auto member :
       {&Profile::issue, &Profile::special, &Profile::doubles, &Profile::products,
        &Profile::group_products, &Profile::level1, &Profile::level2, &Profile::memory,
        &Profile::wide, &Profile::narrow, &Profile::path})
    this->*member += other.*member;
  return *this;
}

Profiler::Profiler(const Program& program) : program_(program) {
  for (const Instruction& in : program.code) costs_.push_back(cost_of(in));
}

void Profiler::begin_block(int warps) {
  ++total_.blocks;
  total_.warps += warps;
  WarpTime fresh;
  fresh.ready.assign(static_cast<std::size_t>(program_.registers), 0);
  warps_.assign(static_cast<std::size_t>(warps), fresh);
  barriers_.clear();
  cached_.clear();
  cached_order_.clear();
  oldest_ = 0;
}

void Profiler::end_block() {
  int longest = 0;
  for (WarpTime& time : warps_) {
    end_stretch(time);
    longest = std::max(longest, time.now);
  }
  total_.path += longest;
  total_.memory = kSector * static_cast<double>(read_.size() + written_.size());
}

void Profiler::end_stretch(WarpTime& time) {
  time.now = std::max(time.stretch, time.now + static_cast<int>(time.issued));
  time.stretch = time.after_store = time.now;
  time.issued = 0;
}

int Profiler::operands_ready(const WarpTime& time, const Instruction& in, bool writes_first) const {
  int when = time.now;
  const auto use = [&](int index) {
    if (index >= 0) when = std::max(when, time.ready[static_cast<std::size_t>(index)]);
  };
  const auto visit = [&](const auto& self, const Operand& o) -> void {
    if (o.kind == Operand::Kind::kRegister) use(o.index);
    for (const Operand& part : o.parts) self(self, part);
  };
  use(in.guard);
  for (std::size_t i = writes_first ? 1 : 0; i < in.operands.size(); ++i)
    visit(visit, in.operands[i]);
  return when;
}

void Profiler::set_ready(WarpTime& time, const Operand& o, int when) {
  if (o.kind == Operand::Kind::kRegister) time.ready[static_cast<std::size_t>(o.index)] = when;
  if (o.kind == Operand::Kind::kList) {
    for (const Operand& part : o.parts) set_ready(time, part, when);
  }
}

int Profiler::global_access(const std::array<u64, 32>& at, int bytes, u32 lanes, bool stores) {
  std::vector<u64> sectors;
  for (int lane = 0; lane < 32; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    const u64 first = at[static_cast<std::size_t>(lane)] / kSector;
    const u64 last = (at[static_cast<std::size_t>(lane)] + static_cast<u64>(bytes) - 1) / kSector;
    for (u64 s = first; s <= last; ++s) sectors.push_back(s);
  }
  std::sort(sectors.begin(), sectors.end());
  sectors.erase(std::unique(sectors.begin(), sectors.end()), sectors.end());
  (bytes >= 16 ? total_.wide : total_.narrow) += 1;
  // A pass serves one line of four sectors.
  std::size_t lines = 0;
  for (std::size_t i = 0; i < sectors.size(); ++i)
    lines += i == 0 || sectors[i] / 4 != sectors[i - 1] / 4 ? 1 : 0;
  total_.level1 += static_cast<double>(lines);
  if (stores) {
    total_.level2 += kSector * static_cast<double>(sectors.size());
    written_.insert(sectors.begin(), sectors.end());
    return 0;
  }
  int latency = kFromLevel1;
  for (const u64 s : sectors) {
    if (cached_.contains(s)) continue;
    total_.level2 += kSector;
    const bool known = written_.contains(s) || !read_.insert(s).second;
    latency = std::max(latency, known ? kFromLevel2 : kFromMemory);
    cached_.insert(s);
    cached_order_.push_back(s);
    if (cached_order_.size() - oldest_ > kCached) cached_.erase(cached_order_[oldest_++]);
  }
  return latency;
}

int Profiler::access(const Warp& warp, const Operand& operand, Space space, int bytes, u32 lanes,
                     bool stores, int shared_latency) {
  Lanes at;
  warp.addresses(operand, space, at);
  for (int lane = 0; lane < 32; ++lane) {
    if ((lanes >> lane & 1) == 0) continue;
    const u64 window = at[static_cast<std::size_t>(lane)] & kWindowMask;
    if (window == 0) return global_access(at, bytes, lanes, stores);
    if (window != kSharedWindow) return 4;
    for (u64& address : at) address &= ~kWindowMask;
    total_.level1 += shared_passes(at, bytes, lanes);
    return shared_latency;
  }
  return 0;
}

void Profiler::observe(const Warp& warp, const Instruction& in, u32 lanes) {
  const Cost& cost = costs_[static_cast<std::size_t>(&in - program_.code.data())];
  WarpTime& time = warps_[static_cast<std::size_t>(warp.index())];
  if (const u32 epoch = warp.block().epoch; epoch != time.epoch) {
    time.now = std::max(time.now, barriers_[time.epoch]);
    time.stretch = time.after_store = time.now;
    time.epoch = epoch;
  }
  total_.issue += cost.issue;
  total_.special += cost.special;
  total_.doubles += cost.doubles;
  time.issued += cost.issue;
  const bool stores = cost.kind == Cost::Kind::kStore;
  const bool copies = cost.kind == Cost::Kind::kCopy;
  int when = operands_ready(time, in, !stores && !copies);
  int latency = cost.latency;
  const int bytes = in.type.bits / 8 * in.vector;
  switch (cost.kind) {
    case Cost::Kind::kLoad:
      when = std::max(when, time.after_store);
      latency = access(warp, in.operands[1], in.space, bytes, lanes, false, cost.latency);
      break;
    case Cost::Kind::kStore:
      latency =
          access(warp, in.operands[in.words[0] == "atom" ? 1 : 0], in.space, bytes, lanes, true, 0);
      time.after_store = std::max(time.after_store, when);
      break;
    case Cost::Kind::kCopy:
      access(warp, in.operands[0], Space::kShared, 16, lanes, true, 0);
      access(warp, in.operands[1], Space::kGlobal, 16, lanes, false, 0);
      break;
    case Cost::Kind::kMatrix: {
      const u32 rows = in.operands[0].parts.size() >= 4
                           ? 0xffffffffu
                           : (1u << 8 * in.operands[0].parts.size()) - 1;
      access(warp, in.operands[1], Space::kShared, 16, rows & lanes, false, 0);
      break;
    }
    case Cost::Kind::kProduct: {
      const bool tf32 = in.text.find("tf32") != std::string::npos;
      total_.products += 2.0 * 16 * 8 * (tf32 ? 8 : 16) * (tf32 ? 2 : 1);
      break;
    }
    case Cost::Kind::kGroupProduct: {
      // A warp's quarter of 64 x n x 16 (8 in tf32, at half the rate).
      const std::size_t at = in.text.find("m64n");
      if (at != std::string::npos)
        total_.group_products += 2.0 * 16 * 16 * std::stoi(in.text.substr(at + 4));
      break;
    }
    case Cost::Kind::kBarrier:
    case Cost::Kind::kPlain:
      break;
  }
  time.stretch = std::max(time.stretch, when);
  if (in.flow != Instruction::Flow::kNone) end_stretch(time);
  if (cost.kind == Cost::Kind::kBarrier) {
    int& latest = barriers_[warp.block().epoch];
    latest = std::max(latest, time.now);
  } else if (!stores && !copies && !in.operands.empty()) {
    set_ready(time, in.operands[0], when + latency);
  }
}

}  // namespace eflow::ptx
