// Runs the GPU form of the glga texts on an emulated GPU, with a GPU's tile sizes, and compares it
// with their CPU form in f64. tests/core/attention/glga_test.cpp compares the CPU form with the composition.
#define BOOST_TEST_MODULE glga_texts
#include "eflow/kernels_src/args/glga.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "eflow/core/base/dtype.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/emulation/machine.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/tests/kernels_src/glga_cases.h"

namespace eflow_text_baseline {
extern const GlgaTable kGlgaTable;
}
namespace eflow_text_emulated_80_4 {
extern const GlgaTable kGlgaTable;
}
namespace eflow_text_emulated_80_8 {
extern const GlgaTable kGlgaTable;
}
namespace eflow_text_emulated_90_4 {
extern const GlgaTable kGlgaTable;
}

namespace {

using eflow::DType;
using eflow::jit::KernelSpec;
namespace args = eflow::args;
namespace emulated = eflow::emulated;

constexpr int kTokens = 100, kHeads = 2;

/// An array in the stored type of the texts, accessed as f64.
class Array {
 public:
  Array() = default;
  Array(DType dtype, std::size_t count)
      : dtype_(dtype), bytes_(count * eflow::size_of(dtype) + 64), count_(count) {}
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] void* data() {
    const auto at = reinterpret_cast<std::uintptr_t>(bytes_.data());
    return bytes_.data() + (64 - at % 64) % 64;
  }
  [[nodiscard]] double at(std::size_t i) {
    if (dtype_ == DType::kF64) return static_cast<double*>(data())[i];
    if (dtype_ == DType::kF32) return static_cast<double>(static_cast<float*>(data())[i]);
    const std::uint32_t bits = std::uint32_t{static_cast<std::uint16_t*>(data())[i]} << 16;
    float x;
    std::memcpy(&x, &bits, sizeof x);
    return static_cast<double>(x);
  }
  void set(std::size_t i, double x) {
    const float f = static_cast<float>(x);
    std::uint32_t bits;
    std::memcpy(&bits, &f, sizeof bits);
    if (dtype_ == DType::kF64) static_cast<double*>(data())[i] = x;
    if (dtype_ == DType::kF32) static_cast<float*>(data())[i] = f;
    if (dtype_ == DType::kBF16)
      static_cast<std::uint16_t*>(data())[i] =
          static_cast<std::uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
  }

 private:
  DType dtype_ = DType::kF32;
  std::vector<char> bytes_;
  std::size_t count_ = 0;
};

/// Launches a text over a grid with the given amount of shared memory.
using Launch = std::function<void(const GlgaEntry& (*)(const GlgaTexts&), const KernelSpec& spec,
                                  long long x, const void* args)>;

struct Outputs {
  Array out, local, lse, delta, dq, dk, dv, d_gates, d_weights;
};

class Problem {
 public:
  Problem(int form, DType dtype) : form_(kGlgaForms[form]), dtype_(dtype) {
    const std::size_t rows = static_cast<std::size_t>(kTokens) * kHeads,
                      all = rows * static_cast<std::size_t>(form_.head);
    q_ = random(all, 1, 1.5);
    k_ = random(all, 2, 1);
    v_ = random(all, 3, 1);
    dy_ = random(all, 4, 1);
    gates_ = random(2 * (form_.gates == 2 ? all : rows), 5, 1);
    weights_ = random(2 * static_cast<std::size_t>(kHeads * form_.head), 6, 0.5);
    ranges_.resize(2 * kTokens);
    // The raster position of a kept token is three times its index plus a small offset.
    const auto place = [](int i) { return 3 * i + i % 2; };
    for (int i = 0; i < kTokens; ++i) {
      int low = 0, high = 0;
      while (place(low) < place(i) - 40) ++low;
      while (high < kTokens && place(high) <= place(i) + 40) ++high;
      ranges_[static_cast<std::size_t>(2 * i)] = low;
      ranges_[static_cast<std::size_t>(2 * i + 1)] = high;
    }
  }

  /// Forward and backward, by the texts that `launch` runs.
  Outputs run(const Launch& launch) {
    const DType sums = dtype_ == DType::kF64 ? DType::kF64 : DType::kF32;
    const std::size_t rows = static_cast<std::size_t>(kTokens) * kHeads,
                      d = static_cast<std::size_t>(form_.head), all = rows * d;
    const long long row_tiles = tiles(form_.rows_grad.rows);
    Outputs o{Array(dtype_, all),
              Array(dtype_, all),
              Array(sums, rows),
              Array(sums, rows),
              Array(dtype_, all),
              Array(dtype_, all),
              Array(dtype_, all),
              Array(sums, gates_.count()),
              Array(sums, static_cast<std::size_t>(row_tiles) * 2 * kHeads * d)};
    Array state(sums, kHeads * d * d), d_state = state, d_global(dtype_, all), d_local = d_global;

    args::Glga a{};
    a.q = rows_of(q_);
    a.k = rows_of(k_);
    a.v = rows_of(v_);
    const long long width = form_.gates == 2 ? form_.head : 1;
    if (form_.gates != 0) a.gates = {gates_.data(), 0, 2 * kHeads * width, kHeads * width, width};
    for (int i = 0; i < 2; ++i)
      a.weights[i] = static_cast<char*>(weights_.data()) +
                     static_cast<std::size_t>(i * kHeads) * d * eflow::size_of(dtype_);
    a.scale = 1 / std::sqrt(static_cast<double>(form_.head));
    a.eps = 1e-3;
    a.queries = a.keys = kTokens;
    a.heads = kHeads;
    a.radius = 20;
    a.ranges = ranges_.data();

    make_state(launch, k_, v_, state);
    a.state = state.data();
    a.out = rows_of(o.out);
    a.local = rows_of(o.local);
    a.lse = o.lse.data();
    launch([](const GlgaTexts& t) -> const GlgaEntry& { return t.forward; },
           spec("glga_forward", form_.forward, true), tiles(form_.forward.rows), &a);

    a.out = rows_of(dy_);
    a.delta = o.delta.data();
    a.d_global = rows_of(d_global);
    a.d_local = rows_of(d_local);
    a.d_gates = form_.gates != 0 ? o.d_gates.data() : nullptr;
    a.d_weights = form_.normed != 0 ? o.d_weights.data() : nullptr;
    launch([](const GlgaTexts& t) -> const GlgaEntry& { return t.rows_grad; },
           spec("glga_rows_grad", form_.rows_grad, true), row_tiles, &a);
    a.dq = rows_of(o.dq);
    launch([](const GlgaTexts& t) -> const GlgaEntry& { return t.queries_grad; },
           spec("glga_queries_grad", form_.queries_grad, false), tiles(form_.queries_grad.rows),
           &a);
    make_state(launch, q_, d_global, d_state);
    a.d_state = d_state.data();
    a.dk = rows_of(o.dk);
    a.dv = rows_of(o.dv);
    launch([](const GlgaTexts& t) -> const GlgaEntry& { return t.keys_grad; },
           spec("glga_keys_grad", form_.keys_grad, false), tiles(form_.keys_grad.keys), &a);
    return o;
  }

 private:
  static long long tiles(int tile) { return (kTokens + tile - 1) / tile; }

  Array random(std::size_t count, unsigned seed, double scale) const {
    std::mt19937 numbers(seed);
    std::normal_distribution<double> normal;
    Array out(dtype_, count);
    Array rounded(DType::kBF16, 1);  // rounded to bf16: the same values in every type
    for (std::size_t i = 0; i < count; ++i) {
      rounded.set(0, scale * normal(numbers));
      out.set(i, rounded.at(0));
    }
    return out;
  }
  args::GlgaRows rows_of(Array& x) const {
    return {x.data(), 0, static_cast<long long>(kHeads) * form_.head, form_.head};
  }
  KernelSpec spec(const char* name, const GlgaTileCase& tile, bool gated) const {
    return KernelSpec(name, {dtype_},
                      {form_.head, form_.local, form_.global, gated ? form_.gates : 0,
                       gated ? form_.normed : 0, form_.radius, form_.kept, tile.rows, tile.keys});
  }
  void make_state(const Launch& launch, Array& x, Array& y, Array& state) {
    args::GlgaState a{rows_of(x), rows_of(y), state.data(), 1.0 / kTokens, kTokens,
                      kHeads,     1,          kTokens};
    launch([](const GlgaTexts& t) -> const GlgaEntry& { return t.state; },
           KernelSpec("glga_state", {dtype_}, {form_.head, form_.state}), (form_.head + 127) / 128,
           &a);
  }

  GlgaFormCase form_;
  DType dtype_;
  Array q_, k_, v_, dy_, gates_, weights_;
  std::vector<int> ranges_;
};

Launch on_cpu(const GlgaTexts& texts) {
  return [&texts](auto entry, const KernelSpec&, long long x, const void* a) {
    std::vector<char> scratch(8 << 20);
    const auto at = reinterpret_cast<std::uintptr_t>(scratch.data());
    for (long long y = 0; y < kHeads; ++y) {
      for (long long i = 0; i < x; ++i) {
        const eflow::jit::HostBlock block{
            i, y, 0, x, kHeads, 1, scratch.data() + (64 - at % 64) % 64, (8 << 20) - 64};
        entry(texts).run(&block, a);
      }
    }
  };
}

/// Launches a text with the threads and shared memory that its kernel definition requests.
Launch on_gpu(int form, int type, const GlgaTable& of_four_warps, emulated::Schedule schedule) {
  return [=, &of_four_warps](auto entry, const KernelSpec& spec, long long x, const void* a) {
    for (const eflow::jit::KernelDefinition& d : eflow::detail::glga_definitions()) {
      if (KernelSpec(d.name, {}).text != spec.text) continue;
      BOOST_REQUIRE(d.threads == 128 || d.threads == 256);
      const GlgaTable& table =
          d.threads == 128 ? of_four_warps : eflow_text_emulated_80_8::kGlgaTable;
      emulated::Launch launch;
      launch.threads = d.threads;
      launch.shared_bytes = static_cast<std::size_t>(d.shared_bytes(spec));
      launch.x = x;
      launch.y = kHeads;
      launch.schedule = schedule;
      const emulated::Outcome outcome = emulated::run(launch, entry(table[form][type]).run, a);
      BOOST_REQUIRE_MESSAGE(outcome.error.empty(), d.name << ": " << outcome.error);
      BOOST_TEST(outcome.bank_conflicts == 0, d.name);
      return;
    }
    BOOST_FAIL("no such text");
  };
}

void check_close(const char* what, Array& found, Array& expected, double limit) {
  double scale = 0, most = 0;
  for (std::size_t i = 0; i < expected.count(); ++i) {
    scale = std::max(scale, std::abs(expected.at(i)));
    const double error = std::abs(found.at(i) - expected.at(i));
    most = std::isnan(error) ? INFINITY : std::max(most, error);
  }
  BOOST_TEST(most <= limit * scale, what << " is off by " << most << " of " << scale);
}

void compare(int form, int type, const GlgaTable& table, double limit,
             emulated::Schedule schedule) {
  const DType dtype = type == 0 ? DType::kF32 : DType::kBF16;
  Outputs expected =
      Problem(form, DType::kF64).run(on_cpu(eflow_text_baseline::kGlgaTable[form][0]));
  Outputs found = Problem(form, dtype).run(on_gpu(form, type, table, schedule));
  BOOST_TEST_CONTEXT("form " << form << ", " << eflow::name_of(dtype)) {
    check_close("out", found.out, expected.out, limit);
    check_close("local", found.local, expected.local, limit);
    check_close("lse", found.lse, expected.lse, limit);
    check_close("dq", found.dq, expected.dq, limit);
    check_close("dk", found.dk, expected.dk, limit);
    check_close("dv", found.dv, expected.dv, limit);
    if (kGlgaForms[form].gates != 0) check_close("d_gates", found.d_gates, expected.d_gates, limit);
    if (kGlgaForms[form].normed != 0)
      check_close("d_weights", found.d_weights, expected.d_weights, limit);
  }
}

}  // namespace

BOOST_DATA_TEST_CASE(emulated_gpu_in_f32, boost::unit_test::data::xrange(kGlgaFormCount), form) {
  compare(form, 0, eflow_text_emulated_80_4::kGlgaTable, 2e-5,
          {.last_first = false, .late_copies = true});
}
BOOST_DATA_TEST_CASE(emulated_gpu_in_bf16, boost::unit_test::data::xrange(kGlgaFormCount), form) {
  compare(form, 1, eflow_text_emulated_80_4::kGlgaTable, 4e-2,
          {.last_first = true, .late_copies = true});
}
BOOST_DATA_TEST_CASE(emulated_gpu_with_warpgroups, boost::unit_test::data::xrange(kGlgaFormCount),
                     form) {
  compare(form, 1, eflow_text_emulated_90_4::kGlgaTable, 4e-2,
          {.last_first = true, .late_copies = true});
}
