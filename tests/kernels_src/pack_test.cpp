// Packs: memory is converted by its type, never by its size, and reductions keep NaN, for each
// instruction set and on an emulated GPU.
#define BOOST_TEST_MODULE pack
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "eflow/jit/emulation/machine.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/kernel/isa.hpp"
#include "eflow/tests/kernels_src/pack_cases.h"

#define EFLOW_DECLARE(target)          \
  namespace eflow_text_##target {      \
    extern const PackEntry kPackEntry; \
  }
EFLOW_DECLARE(baseline)
#if defined(__x86_64__)
EFLOW_DECLARE(avx2)
EFLOW_DECLARE(avx512)
EFLOW_DECLARE(avx512_bf16)
#endif
EFLOW_DECLARE(emulated_80_4)

namespace {

using eflow::jit::Isa;

/// Runs the text on a target.
using Target = void (*)(const PackEntry& entry, const PackCase& args);

void on_cpu(const PackEntry& entry, const PackCase& args) {
  const eflow::jit::HostBlock block{0, 0, 0, 1, 1, 1, nullptr};
  entry.run(&block, &args);
}
void on_gpu(const PackEntry& entry, const PackCase& args) {
  eflow::emulated::Launch launch;
  launch.threads = 128;
  const auto outcome = eflow::emulated::run(launch, entry.run, &args);
  BOOST_TEST(outcome.error == "");
}

/// Memory of one run. Whole vectors of every width, and a tail.
struct Memory {
  static constexpr std::size_t kCount = 133;
  std::vector<short> i16 = std::vector<short>(kCount), i16_back = i16;
  std::vector<unsigned short> u16 = std::vector<unsigned short>(kCount), u16_back = u16, bf16 = u16,
                              bf16_back = u16;
  std::vector<int> i32 = std::vector<int>(kCount), i32_back = i32;
  std::vector<unsigned char> u8 = std::vector<unsigned char>(kCount), u8_back = u8;
  std::vector<float> floats[4], bf16_floats = std::vector<float>(kCount), numbers = bf16_floats;
  PackCase args{};

  Memory() {
    for (auto& f : floats) f.resize(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      const int n = static_cast<int>(i);
      i16[i] = static_cast<short>(n % 2 == 0 ? 240 * n : -240 * n);
      u16[i] = static_cast<unsigned short>(65000 - 400 * n);
      i32[i] = (n - 60) * 1000;
      u8[i] = static_cast<unsigned char>(n);
      // Small integers, which bf16 holds exactly.
      const float x = static_cast<float>(n % 100 - 50);
      unsigned bits = 0;
      std::memcpy(&bits, &x, sizeof bits);
      bf16[i] = static_cast<unsigned short>(bits >> 16);
      numbers[i] = static_cast<float>(n % 7) - 100;
    }
    args.count = kCount;
    args.i16 = i16.data();
    args.u16 = u16.data();
    args.i32 = i32.data();
    args.u8 = u8.data();
    for (int i = 0; i < 4; ++i) args.floats[i] = floats[i].data();
    args.i16_back = i16_back.data();
    args.u16_back = u16_back.data();
    args.i32_back = i32_back.data();
    args.u8_back = u8_back.data();
    args.bf16 = bf16.data();
    args.bf16_floats = bf16_floats.data();
    args.bf16_back = bf16_back.data();
    args.numbers = numbers.data();
  }
};

template <class T>
void check_integers(const char* what, const std::vector<T>& from, const std::vector<float>& floats,
                    const std::vector<T>& back) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    BOOST_TEST(floats[i] == static_cast<float>(from[i]), what << " " << i);
    BOOST_TEST(back[i] == static_cast<T>(from[i] + 1), what << " " << i);
  }
}

void check_conversions(Target run, const PackEntry& entry) {
  Memory m;
  run(entry, m.args);
  check_integers("i16", m.i16, m.floats[0], m.i16_back);
  check_integers("u16", m.u16, m.floats[1], m.u16_back);
  check_integers("i32", m.i32, m.floats[2], m.i32_back);
  check_integers("u8", m.u8, m.floats[3], m.u8_back);
  for (std::size_t i = 0; i < Memory::kCount; ++i) {
    const float x = static_cast<float>(static_cast<int>(i) % 100 - 50);
    BOOST_TEST(m.bf16_floats[i] == x);
    unsigned bits = static_cast<unsigned>(m.bf16_back[i]) << 16;
    float back = 0;
    std::memcpy(&back, &bits, sizeof back);
    BOOST_TEST(back == x + 1);
  }
  BOOST_TEST(m.args.i32_results[0] == 72000);
  BOOST_TEST(m.args.i32_results[1] == -60000);
  BOOST_TEST(m.args.u32_results[0] == 65000u);
  BOOST_TEST(m.args.u32_results[1] == 65000u - 400u * 132u);
  for (int type = 0; type < 2; ++type) {
    const double* f = m.args.functions + 4 * type;
    const double limit = type == 0 ? 2e-7 : 1e-15;
    BOOST_TEST(std::abs(f[0] - std::exp(0.5)) < limit * 2);
    BOOST_TEST(std::abs(f[1] - std::exp2(0.5)) < limit * 2);
    BOOST_TEST(std::abs(f[2] - std::tanh(0.5)) < limit);
    const double gate = 0.7978845608028654 * (0.5 + 0.044715 * 0.125);
    BOOST_TEST(std::abs(f[3] - 0.25 * (1 + std::tanh(gate))) < limit);
  }
}

/// The reductions without a NaN, and with one at each position: in the first and last vector of
/// both running sums, and in the tail.
void check_nan(Target run, const PackEntry& entry) {
  Memory plain;
  run(entry, plain.args);
  for (int i = 0; i < 12; i += 3) {
    BOOST_TEST(plain.args.results[i] == -94);
    BOOST_TEST(plain.args.results[i + 1] == -100);
    BOOST_TEST(std::isfinite(plain.args.results[i + 2]));
  }
  for (std::size_t at = 0; at < Memory::kCount; ++at) {
    Memory m;
    m.numbers[at] = std::numeric_limits<float>::quiet_NaN();
    run(entry, m.args);
    for (const double r : m.args.results) BOOST_TEST(std::isnan(r), "NaN at " << at);
  }
}

void check_isa(Isa isa, const PackEntry& entry) {
  for (const Isa usable : eflow::jit::usable_isas()) {
    if (usable != isa) continue;
    BOOST_TEST_CONTEXT(eflow::jit::name_of(isa)) {
      check_conversions(on_cpu, entry);
      check_nan(on_cpu, entry);
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(every_instruction_set) {
  check_isa(Isa::kBaseline, eflow_text_baseline::kPackEntry);
#if defined(__x86_64__)
  check_isa(Isa::kAvx2, eflow_text_avx2::kPackEntry);
  check_isa(Isa::kAvx512, eflow_text_avx512::kPackEntry);
  check_isa(Isa::kAvx512Bf16, eflow_text_avx512_bf16::kPackEntry);
#endif
}

BOOST_AUTO_TEST_CASE(emulated_gpu) {
  check_conversions(on_gpu, eflow_text_emulated_80_4::kPackEntry);
  check_nan(on_gpu, eflow_text_emulated_80_4::kPackEntry);
}
