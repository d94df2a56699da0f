// The fused GLGA kernels against their composition in f64, over a pairwise covering of the
// properties. `test.core.glga -- long 3 8064` runs part 3 of 8064 of the full grid
// (scripts/glga_grid.sh).

#define BOOST_TEST_MODULE glga_op
#include "eflow/core/attention/glga.hpp"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <iostream>
#include <random>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/op.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/support/warnings.hpp"

namespace eflow {
namespace {

using Local = GlgaOptions::Local;

/// One call. gates: 0 none, 1 per token, 2 per head, 3 per channel. form: 0 glga, 1 sum of both
/// branches, 2 window only, 3 linear only, 4 all keys and linear, 5 softmax only, 6 cross attention
/// (Nk != Nq).
struct Case {
  int head, tokens, window, kept, gates, form;
  DType dtype;
  GlgaOptions::Walk walk = GlgaOptions::Walk::kAuto;
  bool radius_in_code = true;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) {
    return out << "d " << c.head << ", N " << c.tokens << ", radius " << c.window << ", kept "
               << c.kept << " %, gates " << c.gates << ", form " << c.form << ", " << c.dtype
               << ", walks " << static_cast<int>(c.walk);
  }
};

constexpr int kHeads[] = {8, 16, 24, 40, 64, 72, 96, 128, 136, 256};
constexpr int kTokens[] = {1, 63, 64, 65, 130, 700};
/// Radii in percent of the tokens; 0 selects the token itself.
constexpr int kWindows[] = {0, 5, 30, 100};
constexpr int kKept[] = {100, 50, 25};
constexpr int kGates[] = {0, 1, 2, 3};
constexpr int kForms[] = {0, 1, 2, 3, 4, 5, 6};
constexpr DType kDTypes[] = {DType::kF32, DType::kBF16, DType::kF64};

constexpr GlgaOptions::Walk kWalks[] = {GlgaOptions::Walk::kOnce, GlgaOptions::Walk::kTwice};

constexpr int kProperties = 8;
constexpr int kSizes[kProperties] = {10, 6, 4, 3, 4, 7, 3, 2};
using Indices = std::array<int, kProperties>;

Case case_of(const Indices& i) {
  const auto at = [](auto& list, int n) { return list[n]; };
  return {at(kHeads, i[0]), at(kTokens, i[1]), at(kWindows, i[2]), at(kKept, i[3]),
          at(kGates, i[4]), at(kForms, i[5]),  at(kDTypes, i[6]),  at(kWalks, i[7])};
}

/// Greedy pairwise covering: every pair of values of two properties occurs in a case.
std::vector<Case> pairwise_cases() {
  std::set<std::array<int, 4>> open;
  for (int p = 0; p < kProperties; ++p) {
    for (int q = p + 1; q < kProperties; ++q) {
      for (int i = 0; i < kSizes[p]; ++i) {
        for (int j = 0; j < kSizes[q]; ++j) open.insert({p, i, q, j});
      }
    }
  }
  std::mt19937 random(7);
  std::vector<Case> out;
  while (!open.empty()) {
    Indices best{};
    std::size_t most = 0;
    for (int trial = 0; trial < 200; ++trial) {
      const auto& [p, i, q, j] = *open.begin();
      Indices now;
      for (int k = 0; k < kProperties; ++k)
        now[static_cast<std::size_t>(k)] =
            static_cast<int>(random() % static_cast<unsigned>(kSizes[k]));
      now[static_cast<std::size_t>(p)] = i;
      now[static_cast<std::size_t>(q)] = j;
      std::size_t covered = 0;
      for (const auto& [a, b, c, d] : open)
        covered += now[static_cast<std::size_t>(a)] == b && now[static_cast<std::size_t>(c)] == d;
      if (covered > most) {
        most = covered;
        best = now;
      }
    }
    std::erase_if(open, [&](const auto& pair) {
      return best[static_cast<std::size_t>(pair[0])] == pair[1] &&
             best[static_cast<std::size_t>(pair[2])] == pair[3];
    });
    out.push_back(case_of(best));
  }
  return out;
}

struct Problem {
  GlgaOptions options;
  Tensors inputs;  ///< f64: q, k, v, gates, weights
};

Tensor values(const Shape& shape, unsigned seed, double shift = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> v(static_cast<std::size_t>(element_count(shape)));
  for (double& x : v) x = shift + (shift != 0 ? 0.3 : 1.0) * normal(random);
  return Tensor::from(v, shape);
}

Problem problem_of(const Case& c) {
  constexpr std::int64_t kBatch = 2, kHeadCount = 2;
  Problem p;
  GlgaOptions& o = p.options;
  o.eps = 1e-3;
  o.radius = (c.window * c.tokens + 99) / 100;
  o.global = c.form != 2 && c.form != 5;
  o.local = c.form == 3 ? Local::kNone : c.form >= 4 ? Local::kFull : Local::kWindow;
  o.normed = c.form != 5;
  o.backward_walk = c.walk;
  o.radius_in_code = c.radius_in_code;
  std::int64_t tokens = c.tokens;
  if (c.kept < 100) {
    tokens = std::max<std::int64_t>(1, c.tokens * c.kept / 100);
    o.kept_percent = c.kept;
    std::vector<std::int64_t> places;
    std::mt19937 random(11);
    for (std::int64_t b = 0; b < kBatch; ++b) {
      std::set<std::int64_t> kept;
      while (std::ssize(kept) < tokens) kept.insert(random() % static_cast<unsigned>(c.tokens));
      places.insert(places.end(), kept.begin(), kept.end());
    }
    o.positions = Tensor::from(places, {kBatch, tokens});
  }
  const std::int64_t keys = c.form == 6 ? tokens + 37 : tokens;
  const Shape q{kBatch, tokens, kHeadCount, c.head}, k{kBatch, keys, kHeadCount, c.head};
  p.inputs = {values(q, 1), values(k, 2), values(k, 3), Tensor(), Tensor(), Tensor()};
  if (c.gates > 0) {
    p.inputs[3] =
        values({kBatch, tokens, 2, c.gates >= 2 ? kHeadCount : 1, c.gates == 3 ? c.head : 1}, 4);
  }
  if (o.normed && c.tokens % 2 == 0) {
    p.inputs[4] = values({kHeadCount * c.head}, 5, 1);
    p.inputs[5] = values({kHeadCount * c.head}, 6, 1);
  }
  return p;
}

struct Result {
  std::vector<std::vector<double>> values;  ///< output, then gradients
};

using Op = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                      const Tensor&, const GlgaOptions&);

Result run(Op op, const Problem& p, DType dtype) {
  Tensors x;
  for (const Tensor& t : p.inputs) {
    x.push_back(t.defined() ? cast(t, dtype).detach() : Tensor());
    if (t.defined()) x.back().set_requires_grad();
  }
  const Tensor y = op(x[0], x[1], x[2], x[3], x[4], x[5], p.options);
  const Tensor w = cast(values(y.shape(), 9), dtype);
  backward(sum(cast(y * w, DType::kF64)));
  Result out{{y.to_vector<double>()}};
  for (const Tensor& t : x) {
    if (t.defined())
      out.values.push_back(t.grad().defined() ? t.grad().to_vector<double>()
                                              : std::vector<double>());
  }
  return out;
}

/// Rounds the inputs to the narrow dtype.
void round_inputs(Problem& p, DType dtype) {
  for (Tensor& t : p.inputs) {
    if (t.defined()) t = cast(cast(t, dtype), DType::kF64);
  }
}

double norm(const std::vector<double>& x) {
  double s = 0;
  for (const double v : x) s += v * v;
  return std::sqrt(s);
}

double distance(const std::vector<double>& x, const std::vector<double>& y) {
  std::vector<double> d(x.size());
  for (std::size_t k = 0; k < x.size(); ++k) d[k] = x[k] - y[k];
  return norm(d);
}

/// Returns the largest error divided by its tolerance.
double check(const Case& c) {
  double worst = 0;
  BOOST_TEST_CONTEXT(c) {
    Problem p = problem_of(c);
    round_inputs(p, c.dtype);
    Tensor q = cast(p.inputs[0], c.dtype).detach(), gates = p.inputs[3];
    BOOST_REQUIRE(prepare_glga(q, gates, p.options, true));
    const Result fused = run(glga, p, c.dtype), oracle = run(glga_composition, p, DType::kF64);
    BOOST_REQUIRE(fused.values.size() == oracle.values.size());
    // If terms cancel, the composition in the narrow dtype has a similar error: it sets a scale.
    const bool narrow = c.dtype != DType::kF64;
    const Result same = narrow ? run(glga_composition, p, c.dtype) : Result{};
    const double limit = c.dtype == DType::kF64 ? 1e-11 : c.dtype == DType::kF32 ? 2e-5 : 4e-2;
    for (std::size_t i = 0; i < fused.values.size(); ++i) {
      const std::vector<double>&x = fused.values[i], &y = oracle.values[i];
      if (y.empty() || x.empty()) {
        // The output does not depend on this input: its gradient is undefined or zero.
        BOOST_TEST(norm(x) + norm(y) == 0);
        continue;
      }
      BOOST_REQUIRE(x.size() == y.size());
      const double error = distance(x, y);
      // Terms are of order one and may cancel, so the tolerance has an absolute part.
      double most = limit * (norm(y) + 1e-1 * std::sqrt(static_cast<double>(y.size())));
      if (narrow) most = std::max(most, 2 * distance(same.values[i], y));
      BOOST_TEST(error <= most, (i == 0 ? "output" : str("gradient ", i))
                                    << " is off by " << error << " of " << norm(y));
      worst = std::max(worst, error / most);
    }
  }
  return worst;
}

/// The arguments after "--": none, "bf16" for the cases of that type alone, "long", or "long PART
/// PARTS".
std::vector<std::string> words() {
  const auto& suite = boost::unit_test::framework::master_test_suite();
  return {suite.argv + 1, suite.argv + suite.argc};
}

BOOST_AUTO_TEST_CASE(fused_agrees_with_the_composition) {
  const bool only_bf16 = !words().empty() && words()[0] == "bf16";
  if (!words().empty() && !only_bf16) return;
  std::vector<Case> cases = pairwise_cases();
  if (only_bf16) std::erase_if(cases, [](const Case& c) { return c.dtype != DType::kBF16; });
  BOOST_TEST_MESSAGE(cases.size() << " cases");
  BOOST_TEST(cases.size() >= (only_bf16 ? 20U : 70U));
  for (const Case& c : cases) check(c);
}

/// Combinations that share kernels form a group, and a part is every PARTS-th group. So a part
/// compiles only its own kernels, and parts can be run in any order. The radius is an argument; as
/// a constant, every window would need its own kernels. Prints a line that scripts/glga_grid.sh
/// collects.
BOOST_AUTO_TEST_CASE(fused_agrees_with_the_composition_on_the_full_grid) {
  constexpr std::size_t kInner[] = {1, 2, 7}, kOuter[] = {0, 3, 4, 5, 6};  // of kSizes
  constexpr int kMostHeads = 32;  // all head widths from 8 to 256
  const std::vector<std::string> asked = words();
  if (asked.empty() || asked[0] == "bf16") return;
  BOOST_REQUIRE(asked[0] == "long");
  const int part = asked.size() > 2 ? std::stoi(asked[1]) : 0;
  const int parts = asked.size() > 2 ? std::stoi(asked[2]) : 1;
  const auto size_of = [](std::size_t p) { return p == 0 ? kMostHeads : kSizes[p]; };
  const auto all_of = [&](auto& properties) {
    int product = 1;
    for (const std::size_t p : properties) product *= size_of(p);
    return product;
  };
  const auto put = [&](Indices& i, auto& properties, int number) {
    for (const std::size_t p : properties) {
      i[p] = number % size_of(p);
      number /= size_of(p);
    }
  };
  int count = 0;
  double worst = 0;
  Case worst_case{};
  for (int group = part; group < all_of(kOuter); group += parts) {
    for (int inner = 0; inner < all_of(kInner); ++inner) {
      Indices i{};
      put(i, kOuter, group);
      put(i, kInner, inner);
      const int head = 8 * (i[0] + 1);
      i[0] = 0;
      Case c = case_of(i);
      c.head = head;
      c.radius_in_code = false;
      const double share = check(c);
      ++count;
      if (share > worst) {
        worst = share;
        worst_case = c;
      }
    }
  }
  std::cout << "part " << part << " of " << parts << ": " << count << " cases, worst error "
            << worst << " of what is allowed: " << worst_case << std::endl;
}

BOOST_AUTO_TEST_CASE(the_window_as_an_argument_gives_the_same_bits) {
  Problem p = problem_of({16, 130, 30, 100, 1, 0, DType::kF32});
  const Tensor q = cast(p.inputs[0], DType::kF32);
  BOOST_REQUIRE(prepare_glga(q, p.inputs[3], p.options, true));
  const Result in_code = run(glga, p, DType::kF32);
  p.options.radius_in_code = false;
  BOOST_REQUIRE(prepare_glga(q, p.inputs[3], p.options, true));
  BOOST_TEST(in_code.values == run(glga, p, DType::kF32).values);
}

/// Large enough for several tiles and for a split sum of the state.
BOOST_AUTO_TEST_CASE(runs_and_threads_give_the_same_bits) {
  const DevicePtr before = default_device();
  for (const int kept : {100, 50}) {
    std::vector<Result> results;
    for (const int threads : {1, 2, 2}) {
      jit::Options options = jit::Options::from_environment();
      options.threads = threads;
      set_default_device(make_cpu_device(options));
      const Problem p = problem_of({24, 4200, 5, kept, 2, 0, DType::kF32});
      BOOST_REQUIRE(prepare_glga(cast(p.inputs[0], DType::kF32), p.inputs[3], p.options, true));
      results.push_back(run(glga, p, DType::kF32));
    }
    BOOST_TEST(results[0].values == results[1].values);
    BOOST_TEST(results[1].values == results[2].values);
  }
  set_default_device(before);
}

/// q, k and v are views of one product, with heads and tokens swapped in memory.
BOOST_AUTO_TEST_CASE(operands_may_have_any_strides) {
  const Problem p = problem_of({16, 65, 30, 100, 2, 0, DType::kF64});
  BOOST_REQUIRE(prepare_glga(p.inputs[0], p.inputs[3], p.options, false));
  const auto call = [&](const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& gates) {
    return glga(q, k, v, gates, p.inputs[4], p.inputs[5], p.options).to_vector<double>();
  };
  const auto swapped = [](const Tensor& x) {
    return transpose(contiguous(transpose(x, 1, 2)), 1, 2);
  };
  const Tensor kv = concat({p.inputs[1], p.inputs[2]}, 3);
  const Tensor gates = transpose(contiguous(transpose(p.inputs[3], 1, 3)), 1, 3);
  BOOST_TEST(call(p.inputs[0], p.inputs[1], p.inputs[2], p.inputs[3]) ==
             call(swapped(p.inputs[0]), narrow(kv, 3, 0, 16), narrow(kv, 3, 16, 16), gates));
}

BOOST_AUTO_TEST_CASE(without_a_compiler_plain_ops_take_over) {
  const DevicePtr before = default_device();
  set_default_device(make_cpu_device({.search_path = "/nowhere"}));
  const test::Warnings warnings;
  {
    const Problem p = problem_of({16, 65, 30, 100, 1, 0, DType::kF64});
    BOOST_TEST(!prepare_glga(p.inputs[0], p.inputs[3], p.options, true));
    BOOST_TEST(!prepare_glga(p.inputs[0], p.inputs[3], p.options, true));
    BOOST_TEST(warnings.count() == 1);
    BOOST_TEST(run(glga, p, DType::kF64).values == run(glga_composition, p, DType::kF64).values);
  }
  set_default_device(before);
}

BOOST_AUTO_TEST_CASE(a_head_of_odd_size_is_composed) {
  const Problem p = problem_of({12, 20, 30, 100, 1, 0, DType::kF64});
  BOOST_TEST(!prepare_glga(p.inputs[0], p.inputs[3], p.options, true));
  BOOST_TEST(run(glga, p, DType::kF64).values == run(glga_composition, p, DType::kF64).values);
}

BOOST_AUTO_TEST_CASE(wrong_inputs_are_named) {
  const Problem p = problem_of({16, 10, 30, 100, 1, 0, DType::kF64});
  const auto call = [&](int which, const Tensor& wrong, const GlgaOptions& options) {
    Tensors x = p.inputs;
    x[static_cast<std::size_t>(which)] = wrong;
    static_cast<void>(glga(x[0], x[1], x[2], x[3], x[4], x[5], options));
  };
  const GlgaOptions& good = p.options;
  const auto zeros = [](const Shape& shape, DType dtype = DType::kF64) {
    return Tensor::zeros(shape, dtype);
  };
  BOOST_CHECK_THROW(call(0, zeros({2, 9, 2, 16}), good), ShapeError);
  BOOST_CHECK_THROW(call(1, zeros({2, 10, 2, 8}), good), ShapeError);
  BOOST_CHECK_THROW(call(2, zeros({2, 10, 1, 16}), good), ShapeError);
  BOOST_CHECK_THROW(call(2, zeros({2, 10, 32}), good), ShapeError);
  BOOST_CHECK_THROW(call(3, zeros({2, 10, 2, 2, 8}), good), ShapeError);
  BOOST_CHECK_THROW(call(3, zeros({2, 10, 1, 1, 1}), good), ShapeError);
  BOOST_CHECK_THROW(call(4, zeros({16}), good), ShapeError);
  BOOST_CHECK_THROW(call(0, zeros({2, 10, 2, 16}, DType::kF32), good), InvalidArgument);
  GlgaOptions bad = good;
  bad.radius = -1;
  BOOST_CHECK_THROW(call(4, {}, bad), InvalidArgument);
  bad = good;
  bad.positions = zeros({2, 10});
  BOOST_CHECK_THROW(call(4, {}, bad), ShapeError);
  bad = good;
  bad.local = Local::kNone;
  bad.global = false;
  BOOST_CHECK_THROW(call(4, {}, bad), InvalidArgument);
}

}  // namespace
}  // namespace eflow
