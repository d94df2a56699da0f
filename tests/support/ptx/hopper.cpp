// Instructions of sm_90a: asynchronous products of warpgroups (wgmma), barriers in shared memory
// (mbarrier), copies by tensor maps (cp.async.bulk.tensor), and their fences.
#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

/// Shared memory operand of wgmma without swizzling: core matrices of 8 rows of 16 bytes.
/// [PTX ISA, "Matrix descriptor", "Canonical layouts"]: "stride" lies between core matrices that
/// are neighbours along m or n, "leading" between those along k.
struct Descriptor {
  explicit Descriptor(u64 bits)
      : begin((bits & 0x3fff) * 16),
        leading((bits >> 16 & 0x3fff) * 16),
        stride((bits >> 32 & 0x3fff) * 16) {}
  /// Of element (outer, k); `across`: k runs across the rows of 16 bytes.
  [[nodiscard]] u64 offset(u64 outer, u64 k, bool across) const {
    const u64 row = across ? k % 8 : outer % 8, column = across ? outer % 8 : k % 8;
    return begin + outer / 8 * stride + k / 8 * leading + row * 16 + column * 2;
  }
  u64 begin, leading, stride;
};

float bf16_value(u64 bits) {
  return as<float>(bits << 16 & 0xffff0000u);
}
float element(Warp& warp, const Instruction& in, const Descriptor& d, u64 outer, u64 k,
              bool across) {
  std::uint16_t bits = 0;
  warp.load_async(in, d.offset(outer, k, across), &bits, sizeof bits);
  return bf16_value(bits);
}

/// A warp's 16 rows of the 64 x N sums, += A B over 16 of k. Everything is read now, when the
/// product is waited for: as late as the hardware may.
void multiply(Warp& warp, const Warp::Product& product) {
  const Instruction& in = *product.in;
  const std::vector<Operand>& sums = in.operands[0].parts;
  const bool registers = in.operands[1].kind == Operand::Kind::kList;
  const bool across_a = !registers && in.operands[6].value != 0;
  const bool across_b = in.operands.back().value != 0;
  const std::size_t n = sums.size() * 2;
  float a[16][16];
  Lanes scratch;
  if (registers) {
    for (std::size_t i = 0; i < 4; ++i) {
      const u64* const x = warp.read(in.operands[1].parts[i], scratch);
      for (std::size_t l = 0; l < kLanes; ++l) {
        const std::size_t row = l / 4 + i % 2 * 8, k = l % 4 * 2 + i / 2 * 8;
        a[row][k] = bf16_value(x[l]);
        a[row][k + 1] = bf16_value(x[l] >> 16);
      }
    }
  } else {
    const auto first = static_cast<u64>(warp.index() % 4 * 16);
    for (u64 row = 0; row < 16; ++row)
      for (u64 k = 0; k < 16; ++k)
        a[row][k] = element(warp, in, Descriptor(product.a), first + row, k, across_a);
  }
  std::vector<std::array<float, 16>> b(n);
  for (u64 column = 0; column < n; ++column)
    for (u64 k = 0; k < 16; ++k)
      b[column][k] = element(warp, in, Descriptor(product.b), column, k, across_b);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    u64* const c = warp.write(sums[i]);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t row = l / 4 + i % 4 / 2 * 8, column = i / 4 * 8 + l % 4 * 2 + i % 2;
      float sum = 0;
      for (std::size_t k = 0; k < 16; ++k) sum += a[row][k] * b[column][k];
      c[l] = bits_of(as<float>(c[l]) + sum);
    }
  }
}

u64 uniform(Warp& warp, const Instruction& in, const Operand& o) {
  Lanes scratch;
  const u64* const x = warp.read(o, scratch);
  for (int l = 1; l < kLanes; ++l) {
    if (x[l] != x[0]) warp.fail(in, l, "a descriptor that differs between lanes");
  }
  return x[0];
}
void issue(Warp& warp, const Instruction& in, u32 lanes) {
  warp.require_whole_warp(in, lanes);
  const bool registers = in.operands[1].kind == Operand::Kind::kList;
  ++warp.block().counts.group_products;
  warp.products.push_back(
      {&in, registers ? 0 : uniform(warp, in, in.operands[1]), uniform(warp, in, in.operands[2])});
}
void finish(Warp& warp, const Instruction& in, u32 lanes) {
  warp.require_whole_warp(in, lanes);
  for (const Warp::Product& product : warp.products) multiply(warp, product);
  warp.products.clear();
}
/// Orders what this interpreter never reorders.
void whole_warp(Warp& warp, const Instruction& in, u32 lanes) {
  warp.require_whole_warp(in, lanes);
}
void nothing(Warp&, const Instruction&, u32) {}
void fence_proxy(Warp& warp, const Instruction&, u32) {
  warp.block().shared.fence(warp.index());
}

Run decode_wgmma(const Instruction& in, std::vector<std::string>& words) {
  if (!take(words, "sync") || !take(words, "aligned")) return nullptr;
  if (take(words, "fence") || take(words, "commit_group")) return whole_warp;
  if (take(words, "wait_group"))
    return in.operands.at(0).value == 0 ? finish : nullptr;  // only of all groups
  if (!take(words, "mma_async") || words.size() != 1 || in.type.kind != 'h') return nullptr;
  const std::size_t n = in.operands.at(0).parts.size() * 2;
  if (words[0] != "m64n" + std::to_string(n) + "k16") return nullptr;
  words.clear();
  const bool registers = in.operands.at(1).kind == Operand::Kind::kList;
  if (in.operands.size() != (registers ? 7 : 8)) return nullptr;
  for (std::size_t i = 3; i < 6; ++i) {  // scales: D is kept, A and B are as they are
    if (in.operands[i].kind != Operand::Kind::kConstant || in.operands[i].value != 1)
      return nullptr;
  }
  return issue;
}

/// A barrier of the copy engine, by its place in shared memory.
const void* barrier_at(Warp& warp, const Operand& o, int lane) {
  Lanes at;
  warp.addresses(o, Space::kShared, at);
  return reinterpret_cast<const void*>(at[static_cast<std::size_t>(lane)]);
}
enum class BarrierCall { kInit, kInvalidate, kArrive, kExpect };
void use_barrier(Warp& warp, const Instruction& in, u32 lanes) {
  Block& block = warp.block();
  each_lane(lanes, [&](int lane) {
    const auto call = static_cast<BarrierCall>(in.option);
    const void* const barrier =
        barrier_at(warp, in.operands.at(call == BarrierCall::kArrive ? 1 : 0), lane);
    std::string fault;
    Lanes scratch;
    switch (call) {
      case BarrierCall::kInit:
        fault = block.engine.open(barrier);
        if (warp.read(in.operands.at(1), scratch)[lane] != 1) fault = "expects several arrivals";
        break;
      case BarrierCall::kInvalidate:
        fault = block.engine.close(barrier);
        break;
      case BarrierCall::kArrive:
        fault = block.engine.arrive(barrier);
        block.progress = block.arrived = true;
        break;
      case BarrierCall::kExpect:
        block.announced[barrier] += as<u32>(warp.read(in.operands.at(1), scratch)[lane]);
        break;
    }
    if (!fault.empty()) warp.fail(in, lane, fault);
  });
}

/// Copies land as late as they may: when a thread polls their barrier.
void try_wait(Warp& warp, const Instruction& in, u32 lanes) {
  Block& block = warp.block();
  Lanes scratch, out{};
  const u64* const parity = warp.read(in.operands.at(2), scratch);
  each_lane(lanes, [&](int lane) {
    const void* const barrier = barrier_at(warp, in.operands.at(1), lane);
    if (!block.engine.is_open(barrier)) warp.fail(in, lane, "waits for a barrier not initialised");
    const auto passed = [&] { return block.engine.has_passed(barrier, as<u32>(parity[lane])); };
    if (!passed() && block.engine.run(barrier)) {
      std::erase_if(block.bulk_copies, [&](const BulkCopy& c) {
        if (c.barrier != barrier) return false;
        block.shared.land_bulk(c.to, c.bytes.data(), c.bytes.size());
        return true;
      });
    }
    out[static_cast<std::size_t>(lane)] = passed() ? 1 : 0;
    warp.polls = warp.polls || !passed();
  });
  warp.assign(in.operands[0], out, lanes);
}

void copy_box(Warp& warp, const Instruction& in, u32 lanes) {
  Block& block = warp.block();
  const Operand& source = in.operands.at(1);
  Lanes to, from;
  warp.addresses(in.operands.at(0), Space::kShared, to);
  warp.addresses(source, Space::kGeneric, from);
  each_lane(lanes, [&](int lane) {
    const auto l = static_cast<std::size_t>(lane);
    const u64 offset = to[l] & ~kWindowMask;
    if (offset % 128 != 0) warp.fail(in, lane, "destination is not aligned to 128 bytes");
    // A map is among the parameters: 128 bytes.
    alignas(64) char map[128];
    for (std::size_t i = 0; i < sizeof map; i += 8) warp.load(in, from[l] + i, lane, map + i, 8);
    emulated::TensorMapFields fields;
    std::memcpy(&fields, map, sizeof fields);
    u64 last = fields.address + fields.sizes[0] * fields.element_bytes;
    for (std::size_t d = 0; d < 4; ++d) last += (fields.sizes[d + 1] - 1) * fields.strides[d];
    warp.require_allocation(in, fields.address, lane, last - fields.address);
    int at[5];
    Lanes scratch;
    for (std::size_t d = 0; d < 5; ++d)
      at[d] = as<std::int32_t>(warp.read(source.parts.at(1).parts.at(d), scratch)[lane]);
    const void* const barrier = barrier_at(warp, in.operands.at(2), lane);
    const u32 bytes = std::exchange(block.announced[barrier], 0);
    ++block.counts.bulk_copies;
    block.bulk_copies.push_back({offset, barrier, std::vector<char>(bytes)});
    std::string fault = block.engine.copy(block.bulk_copies.back().bytes.data(),
                                          static_cast<int>(bytes), map, at, barrier, true);
    if (fault.empty()) fault = block.shared.begin_copy(warp.access(in.line), offset, bytes);
    if (!fault.empty()) warp.fail(in, lane, fault);
  });
}

Run decode_barrier(Instruction& in, std::vector<std::string>& words) {
  take(words, "shared::cta");
  if (take(words, "try_wait")) return take(words, "parity") ? try_wait : nullptr;
  const char* const calls[] = {"init", "inval", "arrive", "expect_tx"};
  for (int i = 0; i < 4; ++i) {
    if (!take(words, calls[i])) continue;
    in.option = i;
    if (take(words, "relaxed")) take(words, "cta");
    return use_barrier;
  }
  return nullptr;
}

}  // namespace

Run decode_hopper(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  if (name == "wgmma") return decode_wgmma(in, words);
  if (name == "mbarrier") return decode_barrier(in, words);
  if (name == "fence") {
    const bool proxy = take(words, "proxy") && take(words, "async") && take(words, "shared::cta");
    if (proxy) return fence_proxy;
    words.clear();
    return nothing;
  }
  if (name == "cp") {
    for (const char* word : {"async", "bulk", "tensor", "5d", "shared::cluster", "global",
                             "mbarrier::complete_tx::bytes"}) {
      if (!take(words, word)) return nullptr;
    }
    return copy_box;
  }
  return nullptr;
}

}  // namespace eflow::ptx
