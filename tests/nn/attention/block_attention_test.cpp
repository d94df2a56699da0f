// SLA and VSA: token blocks, the selection of blocks, and agreement with full attention if all
// blocks are selected.
#define BOOST_TEST_MODULE block_attention
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/nn/attention/block_softmax.hpp"
#include "eflow/nn/attention/sla_attention.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/attention/vsa_attention.hpp"
#include "eflow/nn/layers/rope3d.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);
constexpr int kHeads = 2;
constexpr std::int64_t kWidth = 12;

/// Inputs of a mixer over a grid, or over its kept tokens.
struct Inputs {
  TokenLayout layout;
  Tensor q, k, v, x;
  explicit Inputs(const Grid3& grid, const std::vector<std::int64_t>& kept = {}) {
    layout.grid = grid;
    layout.rope = RopeTables::of_grid(grid, kWidth / kHeads, DType::kF64, default_device());
    std::int64_t tokens = grid.count();
    if (!kept.empty()) {
      tokens = static_cast<std::int64_t>(kept.size()) / 2;
      layout.positions = Tensor::from(kept, {2, tokens});
      layout.rope = layout.rope.at(layout.positions);
    }
    const Shape heads{2, tokens, kHeads, kWidth / kHeads};
    q = test::values(heads, 1), k = test::values(heads, 2), v = test::values(heads, 3);
    x = test::values({2, tokens, kWidth}, 4);
  }
  [[nodiscard]] MixInputs all() const { return {q, k, v, x, layout}; }
  [[nodiscard]] Tensor softmax_of_all() const {
    return reshape(attention(all().rotated(q), all().rotated(k), v, 1 / std::sqrt(6.0)), x.shape());
  }
};

void set(const Module& module, const std::string& name, double value) {
  for (auto [known, tensor] : module.parameters()) {
    if (known == name) tensor.assign(Tensor::full(tensor.shape(), value, DType::kF64));
  }
}

const std::vector<std::int64_t> kKept = {0, 3, 5, 6, 11, 17, 1, 2, 7, 9, 10, 12};

BOOST_AUTO_TEST_CASE(blocks_in_order_hold_every_token_once) {
  const Tensor x = test::values({2, 10, 3}, 1);
  const TokenBlocks blocks = TokenBlocks::in_order(x, 4);
  BOOST_TEST(blocks.blocks() == 3);
  const Tensor y = blocks.gather(x);
  BOOST_TEST(y.shape() == (Shape{2, 3, 4, 3}));
  BOOST_TEST(test::distance(blocks.scatter(y), x) == 0);
  BOOST_TEST(test::largest(narrow(narrow(y, 1, 2, 1), 2, 2, 2)) == 0);
  BOOST_TEST(test::distance(narrow(blocks.means(y), 1, 2, 1), mean(narrow(x, 1, 8, 2), {1}, true)) <
             1e-15);
  BOOST_TEST(!TokenBlocks::in_order(x, 5).token_mask().defined());
}

BOOST_AUTO_TEST_CASE(cubes_follow_the_raster) {
  const Grid3 grid{3, 2, 3};
  const Tensor ids = Tensor::from(kKept, {2, 6});
  const Tensor x = Tensor::from(std::vector<double>(kKept.begin(), kKept.end()), {2, 6, 1});
  const TokenBlocks cubes = TokenBlocks::in_cubes(x, grid, 2, ids);
  BOOST_TEST(cubes.blocks() == 4);  // 2 x 1 x 2
  // Sample 0 keeps (0,0,0), (0,1,0), (0,1,2), (1,0,0), (1,1,2), (2,1,2).
  const std::vector<double> means = {3, 8, 0, 17, 6.75, 2, 12, 0};
  BOOST_TEST(cubes.means(cubes.gather(x)).shape() == (Shape{2, 4, 1}));
  BOOST_TEST(test::distance(cubes.means(cubes.gather(x)), Tensor::from(means, {2, 4, 1})) < 1e-12);
  BOOST_TEST(test::distance(cubes.scatter(cubes.gather(x)), x) == 0);
  const auto spread = cubes.spread(cubes.means(cubes.gather(x))).to_vector<double>();
  BOOST_TEST(spread[0] == 3);
  BOOST_TEST(spread[2] == 8);
  BOOST_TEST(spread[5] == 17);
}

BOOST_AUTO_TEST_CASE(the_best_blocks_are_the_largest_scores) {
  const Tensor scores = Tensor::from(std::vector<double>{1, 5, 3, 0, -1, -2, -3, 7}, {1, 1, 2, 4});
  BOOST_TEST(best_blocks(scores, 2).to_vector<std::int64_t>() ==
             (std::vector<std::int64_t>{1, 2, 0, 3}));
  BOOST_TEST(chosen_count(10, 0.2) == 2);
  BOOST_TEST(chosen_count(3, 0.01) == 1);
}

/// Each query block attends exactly to its chosen blocks: compared with masked attention.
BOOST_AUTO_TEST_CASE(only_chosen_blocks_are_attended) {
  const Tensor q = test::values({1, 10, 1, 4}, 1), k = test::values({1, 10, 1, 4}, 2),
               v = test::values({1, 10, 1, 4}, 3);
  const TokenBlocks blocks = TokenBlocks::in_order(q, 4);
  const std::vector<std::int64_t> chosen = {0, 2, 1, 2, 0, 1};
  const Tensor y =
      blocks.scatter(block_softmax(blocks, blocks.gather(q), blocks.gather(k), blocks.gather(v),
                                   Tensor::from(chosen, {1, 1, 3, 2})));
  std::vector<double> mask;
  for (std::size_t i = 0; i < 10; ++i) {
    for (std::int64_t j = 0; j < 10; ++j) {
      const std::int64_t *of = chosen.data() + 2 * (i / 4), block = j / 4;
      mask.push_back(of[0] == block || of[1] == block ? 0 : -1e30);
    }
  }
  const auto by_head = [](const Tensor& t) { return transpose(t, 1, 2); };
  const Tensor scores = matmul(by_head(q), permute(k, {0, 2, 3, 1})) / 2.0;
  const Tensor seen = softmax(scores + Tensor::from(mask, {1, 1, 10, 10}));
  BOOST_TEST(test::distance(y, by_head(matmul(seen, by_head(v)))) < 1e-13);
}

BOOST_AUTO_TEST_CASE(sla_of_all_blocks_starts_as_softmax) {
  for (const Inputs& in : {Inputs({3, 2, 3}), Inputs({3, 2, 3}, kKept)}) {
    const SlaAttention sla(kScope, kWidth, kHeads, {.block = 4, .block_share = 1});
    BOOST_TEST(test::distance(sla(in.all()), in.softmax_of_all()) < 1e-13);
  }
}

BOOST_AUTO_TEST_CASE(slas_linear_branch_is_a_weighted_mean) {
  const Tensor q = test::values({1, 5, 1, 4}, 1), k = test::values({1, 5, 1, 4}, 2),
               v = test::values({1, 5, 1, 4}, 3);
  const auto by_head = [](const Tensor& t) { return transpose(t, 1, 2); };
  const Tensor pairs = matmul(by_head(softmax(q)), permute(softmax(k), {0, 2, 3, 1}));
  const Tensor expected = by_head(matmul(pairs / (sum(pairs, {3}, true) + 1e-5), by_head(v)));
  BOOST_TEST(test::distance(channel_softmax_attention(q, k, v), expected) < 1e-13);
}

BOOST_AUTO_TEST_CASE(vsa_of_all_cubes_without_its_gate_is_softmax) {
  for (const Inputs& in : {Inputs({3, 2, 3}), Inputs({3, 2, 3}, kKept)}) {
    const VsaAttention vsa(kScope, kWidth, {.block = 8, .block_share = 1});
    set(vsa, "gate.weight", 0);
    BOOST_TEST(test::distance(vsa(in.all()), in.softmax_of_all()) < 1e-13);
  }
}

/// With one token per cube, the coarse branch is full attention as well.
BOOST_AUTO_TEST_CASE(vsas_coarse_branch_is_softmax_over_means) {
  const Inputs in({3, 2, 3});
  const VsaAttention vsa(kScope, kWidth, {.block = 1, .block_share = 1});
  set(vsa, "gate.weight", 0);
  set(vsa, "gate.bias", 2);
  BOOST_TEST(test::distance(vsa(in.all()), in.softmax_of_all() * 3.0) < 1e-12);
}

BOOST_AUTO_TEST_CASE(gradients_match_finite_differences) {
  Inputs in({3, 2, 3}, kKept);
  const SlaAttention sla(kScope, kWidth, kHeads, {.block = 2, .block_share = 0.4});
  const VsaAttention vsa(kScope, kWidth, {.block = 8, .block_share = 0.5});
  for (const Mixer* mixer : {static_cast<const Mixer*>(&sla), static_cast<const Mixer*>(&vsa)}) {
    test::perturb(mixer->parameters(), 0.5);
    NamedTensors leaves = mixer->parameters();
    for (Tensor* t : {&in.q, &in.k, &in.v, &in.x}) {
      t->set_requires_grad();
      leaves.emplace_back(str("input ", leaves.size()), *t);
    }
    const Tensor weights = test::values(in.x.shape(), 9);
    const auto worst =
        test::worst_gradient(leaves, [&] { return sum((*mixer)(in.all()) * weights); });
    BOOST_TEST(worst.relative() < 1e-5,
               worst.name << ": " << worst.analytic << " against " << worst.numeric);
  }
}

BOOST_AUTO_TEST_CASE(block_sizes_that_are_not_cubes_are_refused) {
  BOOST_TEST(cube_edge(64) == 4);
  BOOST_CHECK_THROW(static_cast<void>(cube_edge(32)), InvalidArgument);
  BOOST_CHECK_THROW(VsaAttention(kScope, kWidth, {.block = 10}), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
