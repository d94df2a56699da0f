#define BOOST_TEST_MODULE adaln
#include "eflow/nn/layers/adaln.hpp"

#include <boost/test/unit_test.hpp>

#include "eflow/nn/layers/norm_layers.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

const Scope kScope({.seed = 1}, DType::kF64);

BOOST_AUTO_TEST_CASE(modulation_adds_the_block_table_to_the_shared_vectors) {
  const ModulationTable table(kScope, 6, 8);
  const Tensor shared = test::values({2, 6, 8}, 3);
  const std::vector<Tensor> rows = table(shared);
  BOOST_TEST(rows.size() == 6);
  const Tensor expected = narrow(shared + table.parameters()[0].second, 1, 4, 1);
  BOOST_TEST(test::distance(rows[4], reshape(expected, {2, 8})) == 0);
}

BOOST_AUTO_TEST_CASE(a_branch_is_shifted_scaled_and_gated) {
  const Tensor x = test::values({2, 3, 8}, 1), y = test::values({2, 3, 8}, 2);
  const BranchModulation m{test::values({2, 8}, 3), test::values({2, 8}, 4),
                           test::values({2, 8}, 5)};
  const auto row = [](const Tensor& v) { return reshape(v, {2, 1, 8}); };
  const Tensor plain = layer_norm(x, {}, {}, kNormEps);
  BOOST_TEST(test::distance(m.input(x, x.dtype()), plain * (row(m.scale) + 1.0) + row(m.shift)) <
             1e-12);
  BOOST_TEST(test::distance(m.residual(x, y), x + row(m.gate) * y) < 1e-14);
}

}  // namespace
}  // namespace eflow::nn
