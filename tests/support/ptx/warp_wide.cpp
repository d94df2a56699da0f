// Instructions that the lanes of a warp execute together: shfl.sync ldmatrix mma.sync
// bar.warp.sync trap.
#include <bit>

#include "eflow/tests/support/half.hpp"
#include "eflow/tests/support/ptx/scalar.hpp"

namespace eflow::ptx {
namespace {

enum class Shuffle { kUp, kDown, kButterfly, kIndex };

void shuffle(Warp& warp, const Instruction& in, u32 lanes) {
  // d|p, a, b, c, mask, or without p
  const std::size_t first = in.operands.size() - 4;
  Lanes scratch[4];
  const u64* x[4];
  for (std::size_t i = 0; i < 4; ++i) x[i] = warp.read(in.operands[first + i], scratch[i]);
  Lanes out, inside;
  each_lane(lanes, [&](int lane) {
    const auto members = as<u32>(x[3][lane]);
    if (members != lanes)
      warp.fail(in, lane,
                "a lane of the shuffle's mask is not here, or one that is here is not in it");
    const int b = static_cast<int>(x[1][lane] & 31), c = static_cast<int>(x[2][lane] & 31);
    const int segment = static_cast<int>(x[2][lane] >> 8 & 31);
    const int low = lane & segment, high = low | (c & ~segment);
    int from = lane;
    bool valid = false;
    switch (static_cast<Shuffle>(in.option)) {
      case Shuffle::kUp:
        from = lane - b, valid = from >= high;
        break;
      case Shuffle::kDown:
        from = lane + b, valid = from <= high;
        break;
      case Shuffle::kButterfly:
        from = lane ^ b, valid = from <= high;
        break;
      case Shuffle::kIndex:
        from = low | (b & ~segment), valid = from <= high;
        break;
    }
    if (!valid) from = lane;
    if ((lanes >> from & 1) == 0) warp.fail(in, lane, "shuffles from a lane that is not here");
    out[static_cast<std::size_t>(lane)] = as<u32>(x[0][from]);
    inside[static_cast<std::size_t>(lane)] = valid ? 1 : 0;
  });
  warp.assign(in.operands[0], out, lanes);
  if (first == 2) warp.assign(in.operands[1], inside, lanes);
}
Run decode_shuffle(Instruction& in, std::vector<std::string>& words) {
  const char* const modes[] = {"up", "down", "bfly", "idx"};
  for (int i = 0; i < 4; ++i) {
    if (!take(words, modes[i])) continue;
    in.option = i;
    const bool fits = in.operands.size() == 5 || in.operands.size() == 6;
    return take(words, "sync") && in.type.bits == 32 && fits ? shuffle : nullptr;
  }
  return nullptr;
}

/// Lane l has the address of row l % 8 of matrix l / 8; g = l / 4 and t = l % 4 get (g, 2t) and
/// (g, 2t + 1) of each matrix, or with `transposed` (2t, g) and (2t + 1, g).
template <bool transposed>
void load_matrices(Warp& warp, const Instruction& in, u32 lanes) {
  warp.require_whole_warp(in, lanes);
  const std::vector<Operand>& to = in.operands.at(0).parts;
  Lanes at, out;
  warp.addresses(in.operands.at(1), Space::kShared, at);
  std::uint16_t rows[kLanes][8];
  for (int l = 0; l < 8 * static_cast<int>(to.size()); ++l)
    warp.load(in, at[static_cast<std::size_t>(l)], l, rows[l], 16);
  for (std::size_t m = 0; m < to.size(); ++m) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t g = l / 4, t = l % 4;
      const u32 low = transposed ? rows[8 * m + 2 * t][g] : rows[8 * m + g][2 * t];
      const u32 high = transposed ? rows[8 * m + 2 * t + 1][g] : rows[8 * m + g][2 * t + 1];
      out[l] = high << 16 | low;
    }
    warp.assign(to[m], out, lanes);
  }
}
Run decode_ldmatrix(const Instruction& in, std::vector<std::string>& words) {
  const bool transposed = take(words, "trans");
  const std::size_t count = take(words, "x4")   ? 4
                            : take(words, "x2") ? 2
                            : take(words, "x1") ? 1
                                                : 0;
  if (!take(words, "sync") || !take(words, "aligned") || !take(words, "m8n8") ||
      !(take(words, "shared") || take(words, "shared::cta")) || count == 0 ||
      in.operands.at(0).parts.size() != count)
    return nullptr;
  return transposed ? load_matrices<true> : load_matrices<false>;
}

float bf16_value(u64 bits) {
  return as<float>(bits << 16 & 0xffff0000u);
}
float tf32_value(u64 bits) {
  return as<float>(bits & 0xffffe000u);
}

/// D = A B + C: 16 x 8 sums over 16 of k in bf16 or f16, or over 8 in tf32. With g = lane / 4 and
/// t = lane % 4, a lane holds
///   C and D      (g, 2t), (g, 2t + 1), (g + 8, 2t), (g + 8, 2t + 1)
///   A in bf16    pairs at (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8)
///   B in bf16    pairs along k at (2t, g), (2t + 8, g)
///   A in tf32    (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4)
///   B in tf32    (t, g), (t + 4, g)
enum class Factor { kBf16, kF16, kTf32 };
template <Factor factor>
void multiply(Warp& warp, const Instruction& in, u32 lanes) {
  warp.require_whole_warp(in, lanes);
  ++warp.block().counts.products;
  constexpr bool halves = factor != Factor::kTf32;
  constexpr std::size_t kDepth = halves ? 16 : 8;
  const auto value = [](u64 bits) {
    return factor == Factor::kBf16 ? bf16_value(bits) : test::f16_value(as<u32>(bits));
  };
  float a[16][kDepth], b[kDepth][8];
  Lanes scratch, out[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const u64* const x = warp.read(in.operands[1].parts[i], scratch);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t row = l / 4 + i % 2 * 8;
      if constexpr (halves) {
        const std::size_t k = l % 4 * 2 + i / 2 * 8;
        a[row][k] = value(x[l]);
        a[row][k + 1] = value(x[l] >> 16);
      } else {
        a[row][l % 4 + i / 2 * 4] = tf32_value(x[l]);
      }
    }
  }
  for (std::size_t i = 0; i < 2; ++i) {
    const u64* const x = warp.read(in.operands[2].parts[i], scratch);
    for (std::size_t l = 0; l < kLanes; ++l) {
      if constexpr (halves) {
        const std::size_t k = l % 4 * 2 + i * 8;
        b[k][l / 4] = value(x[l]);
        b[k + 1][l / 4] = value(x[l] >> 16);
      } else {
        b[l % 4 + i * 4][l / 4] = tf32_value(x[l]);
      }
    }
  }
  for (std::size_t i = 0; i < 4; ++i) {
    const u64* const c = warp.read(in.operands[3].parts[i], scratch);
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::size_t row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
      float sum = 0;
      for (std::size_t k = 0; k < kDepth; ++k) sum += a[row][k] * b[k][column];
      out[i][l] = bits_of(as<float>(c[l]) + sum);
    }
  }
  for (std::size_t i = 0; i < 4; ++i) warp.assign(in.operands[0].parts[i], out[i], lanes);
}
Run decode_mma(const Instruction& in) {
  if (in.operands.size() != 4) return nullptr;
  std::string shape;
  for (std::size_t i = 1; i < in.words.size(); ++i) shape += "." + in.words[i];
  if (shape == ".sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") return multiply<Factor::kBf16>;
  if (shape == ".sync.aligned.m16n8k16.row.col.f32.f16.f16.f32") return multiply<Factor::kF16>;
  if (shape == ".sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32") return multiply<Factor::kTf32>;
  return nullptr;
}

/// Joins nothing: lanes that diverged join when they meet, so this only checks who is here.
void warp_barrier(Warp& warp, const Instruction& in, u32 lanes) {
  Lanes scratch;
  const u64* const mask = warp.read(in.operands.at(0), scratch);
  each_lane(lanes, [&](int lane) {
    if (as<u32>(mask[lane]) != lanes) warp.fail(in, lane, "not all lanes of the mask are here");
  });
}

void trap(Warp& warp, const Instruction& in, u32 lanes) {
  warp.fail(in, std::countr_zero(lanes), "trap: a tile does not fit, or a row is too wide");
}

}  // namespace

Run decode_warp(Instruction& in, const std::string& name, std::vector<std::string>& words) {
  if (name == "shfl") return decode_shuffle(in, words);
  if (name == "ldmatrix") return decode_ldmatrix(in, words);
  if (name == "mma") {
    words.clear();
    return decode_mma(in);
  }
  if (name == "trap") return trap;
  if (name == "bar" && take(words, "warp") && take(words, "sync")) return warp_barrier;
  return nullptr;
}

}  // namespace eflow::ptx
