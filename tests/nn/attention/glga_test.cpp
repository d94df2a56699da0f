#define BOOST_TEST_MODULE glga
#include "eflow/nn/attention/glga.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {

// Boost prints the values of data test cases.
static std::ostream& operator<<(std::ostream& out, AttentionKind kind) {
  return out << name_of(kind);
}
static std::ostream& operator<<(std::ostream& out, GateKind kind) {
  return out << name_of(kind);
}

namespace {

constexpr int kHeads = 2;
constexpr std::int64_t kTokens = 10, kWidth = 12;
const Scope kScope({.seed = 1}, DType::kF64);

/// q, k, v [2, N, H, d] and their input x [2, N, D].
struct Inputs {
  Tensor q = test::values({2, kTokens, kHeads, kWidth / kHeads}, 1);
  Tensor k = test::values({2, kTokens, kHeads, kWidth / kHeads}, 2);
  Tensor v = test::values({2, kTokens, kHeads, kWidth / kHeads}, 3);
  Tensor x = test::values({2, kTokens, kWidth}, 4);
  [[nodiscard]] Tensor run(const Glga& glga) const { return glga(q, k, v, x, {}); }
};

Tensor head_norm(const Tensor& x) {
  return rms_norm(reshape(x, {2, kTokens, kWidth}), {}, kHeads, kNormEps);
}

/// Sets the gates to constants by their biases.
void set_gates(const Glga& glga, double global, double local) {
  for (auto [name, tensor] : glga.parameters()) {
    if (name == "gate.bias") tensor.assign(Tensor::from(std::vector<double>{global, local}, {2}));
  }
}
constexpr double kOpen = 100, kShut = -100;

BOOST_AUTO_TEST_CASE(a_wide_window_and_gates_0_1_are_normalised_softmax_attention) {
  const Inputs in;
  const Glga glga(kScope, kWidth, kHeads, {.radius = kTokens - 1});
  set_gates(glga, kShut, kOpen);
  const Tensor softmax = attention(in.q, in.k, in.v, 1 / std::sqrt(6.0));
  BOOST_TEST(test::distance(in.run(glga), head_norm(softmax)) < 1e-12);
}

BOOST_AUTO_TEST_CASE(gates_1_0_are_two_products_and_a_norm) {
  const Inputs in;
  const Glga glga(kScope, kWidth, kHeads, {.radius = 2});
  set_gates(glga, kOpen, kShut);
  const auto heads = [](const Tensor& t) { return permute(t, {0, 2, 1, 3}); };
  const Tensor s = matmul(transpose(heads(in.k), 2, 3), heads(in.v));
  const Tensor a = permute(matmul(heads(in.q), s), {0, 2, 1, 3}) / double(kTokens);
  BOOST_TEST(test::distance(in.run(glga), head_norm(a)) < 1e-9);
}

BOOST_AUTO_TEST_CASE(the_norm_removes_the_scale_of_the_linear_branch) {
  Inputs in;
  in.q = in.q * 10.0;  // makes eps, the only term that depends on the scale, negligible
  const Glga glga(kScope, kWidth, kHeads, {.kind = AttentionKind::kLinear});
  const Tensor before = in.run(glga);
  in.v = in.v * 1000.0;
  BOOST_TEST(test::distance(before, in.run(glga)) < 1e-5 * test::largest(before));
}

BOOST_AUTO_TEST_CASE(gates_start_at_one_half) {
  const Inputs in;
  const Glga gated(kScope, kWidth, kHeads, {.radius = 2});
  const Glga sum(kScope, kWidth, kHeads, {.kind = AttentionKind::kSum, .radius = 2});
  BOOST_TEST(test::distance(in.run(gated), in.run(sum) * 0.5) < 1e-14);
}

BOOST_AUTO_TEST_CASE(ksum_is_the_sum_of_its_branches) {
  const Inputs in;
  const Glga window(kScope, kWidth, kHeads, {.kind = AttentionKind::kWindow, .radius = 2});
  const Glga linear(kScope, kWidth, kHeads, {.kind = AttentionKind::kLinear});
  const Glga sum(kScope, kWidth, kHeads, {.kind = AttentionKind::kSum, .radius = 2});
  BOOST_TEST(test::distance(in.run(window) + in.run(linear), in.run(sum)) < 1e-14);
}

BOOST_AUTO_TEST_CASE(radius_0_attends_only_to_itself) {
  const Inputs in;
  const Glga window(kScope, kWidth, kHeads, {.kind = AttentionKind::kWindow, .radius = 0});
  BOOST_TEST(test::distance(in.run(window), head_norm(in.v)) < 1e-12);
}

/// Kept tokens attend as if dropped tokens were masked: distances are those of the full raster.
BOOST_AUTO_TEST_CASE(kept_tokens_attend_by_full_raster_positions) {
  const Inputs in;
  const std::vector<std::int64_t> kept = {0, 3, 4, 9, 1, 2, 5, 8};
  const Tensor ids = Tensor::from(kept, {2, 4});
  const auto pick = [&](const Tensor& t) {
    return reshape(gather_tokens(reshape(t, {2, kTokens, kWidth}), ids), {2, 4, kHeads, 6});
  };
  const Tensor y = window_attention(pick(in.q), pick(in.k), pick(in.v), 1, ids);
  // Sample 0: 0 and 9 have no neighbour, 3 and 4 attend to each other; sample 1: 5 and 8 have none.
  const Tensor v = pick(in.v);
  const auto row = [](const Tensor& t, int b, int i) {
    return narrow(narrow(t, 0, b, 1), 1, i, 1);
  };
  BOOST_TEST(test::distance(row(y, 0, 0), row(v, 0, 0)) < 1e-12);
  BOOST_TEST(test::distance(row(y, 0, 3), row(v, 0, 3)) < 1e-12);
  BOOST_TEST(test::distance(row(y, 0, 1), row(v, 0, 1)) > 1e-3);
  BOOST_TEST(test::distance(row(y, 1, 2), row(v, 1, 2)) < 1e-12);
  BOOST_TEST(test::distance(row(y, 1, 0), row(v, 1, 0)) > 1e-3);
}

BOOST_AUTO_TEST_CASE(a_compact_window_counts_kept_tokens_one_by_one) {
  const Inputs in;
  const AttentionOptions options{
      .kind = AttentionKind::kWindow, .radius = 2, .index = WindowIndex::kCompact};
  const Glga compact(kScope, kWidth, kHeads, options);
  const Tensor spread =
      Tensor::from(std::vector<std::int64_t>{0, 9, 18, 27, 36, 45, 54, 63, 72, 81,
                                             0, 9, 18, 27, 36, 45, 54, 63, 72, 81},
                   {2, kTokens});
  const Tensor y = compact(in.q, in.k, in.v, in.x, spread);
  BOOST_TEST(test::distance(y, in.run(compact)) == 0);
  const Glga original(kScope, kWidth, kHeads, {.kind = AttentionKind::kWindow, .radius = 2});
  BOOST_TEST(test::distance(y, original(in.q, in.k, in.v, in.x, spread)) > 1e-3);
}

const AttentionKind kKinds[] = {AttentionKind::kWindow, AttentionKind::kLinear, AttentionKind::kSum,
                                AttentionKind::kGated};
const GateKind kGates[] = {GateKind::kToken, GateKind::kHead, GateKind::kChannel};

BOOST_DATA_TEST_CASE(gradients_match_finite_differences,
                     boost::unit_test::data::make(kKinds) * boost::unit_test::data::make(kGates),
                     kind, gates) {
  Inputs in;
  const Glga glga(kScope, kWidth, kHeads, {.kind = kind, .gates = gates, .radius = 2});
  test::perturb(glga.parameters(), 0.5);
  NamedTensors leaves = glga.parameters();
  for (Tensor* t : {&in.q, &in.k, &in.v, &in.x}) {
    t->set_requires_grad();
    leaves.emplace_back(str("input ", leaves.size()), *t);
  }
  const Tensor weights = test::values({2, kTokens, kWidth}, 9);
  const auto worst = test::worst_gradient(leaves, [&] { return sum(in.run(glga) * weights); });
  BOOST_TEST(worst.relative() < 1e-5,
             worst.name << ": " << worst.analytic << " against " << worst.numeric);
}

BOOST_AUTO_TEST_CASE(names_are_parsed_back) {
  for (const char* name : {"softmax", "window", "linear", "sum", "glga", "sana", "sla", "vsa"}) {
    BOOST_TEST(name_of(attention_kind(name)) == name);
  }
  for (const char* name : {"token", "head", "channel"})
    BOOST_TEST(name_of(gate_kind(name)) == name);
  BOOST_CHECK_THROW(static_cast<void>(attention_kind("flash")), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
