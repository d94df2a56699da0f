// Ops that fuse others compute the same bits as those on the CPU, forward and backward, and refuse
// what does not fit. That they are right at all, the tests of all ops show.
#define BOOST_TEST_MODULE fused_ops
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "eflow/core/attention/qk_norm.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/residual_norm.hpp"
#include "eflow/core/tensor/ops.hpp"

using namespace eflow;
namespace data = boost::unit_test::data;

namespace {

constexpr double kEps = 1e-6;

Tensor normal(const Shape& shape, std::uint32_t purpose, DType dtype) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(shape[0]));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<std::int64_t>(i);
  RandomKey key;
  key.purpose = purpose;
  Tensor x = cast(random_normal(shape, key, rows), dtype).detach();
  x.set_requires_grad();
  return x;
}

std::vector<double> values(const Tensor& x) {
  return cast(x, DType::kF64).to_vector<double>();
}

/// Results of f and the gradients of its inputs.
template <class F>
std::vector<std::vector<double>> all_values(const std::vector<Tensor>& inputs, F&& f) {
  std::vector<std::vector<double>> out;
  Tensor total;
  std::uint32_t purpose = 100;
  for (const Tensor& y : f()) {
    out.push_back(values(y));
    const Tensor part =
        sum(cast(y * normal(y.shape(), ++purpose, y.dtype()).detach(), DType::kF64));
    total = total.defined() ? total + part : part;
  }
  for (const Tensor& g : gradients(total, inputs)) out.push_back(values(g));
  return out;
}

template <class F, class G>
void check_same_bits(const std::vector<Tensor>& inputs, F&& fused, G&& apart) {
  const auto expected = all_values(inputs, apart), found = all_values(inputs, fused);
  BOOST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    BOOST_TEST((found[i] == expected[i]), "tensor " << i << " of results and gradients");
}

const std::vector<DType> kDTypes{DType::kF32, DType::kBF16, DType::kF64};

}  // namespace

BOOST_DATA_TEST_CASE(qk_norm_rope_is_rms_norm_and_rope, data::make(kDTypes), dtype) {
  const std::int64_t tokens = 45, heads = 3, width = 3 * 22;
  const Tensor qkv = normal({2, tokens, 3 * width}, 1, dtype), wq = normal({width}, 2, dtype),
               wk = normal({width}, 3, dtype), angle = normal({tokens, 11}, 4, DType::kF64);
  const Tensor c = cast(cos(angle), dtype).detach(), s = cast(sin(angle), dtype).detach();
  check_same_bits(
      {qkv, wq, wk},
      [&] {
        const QkvHeads y = qk_norm_rope(qkv, wq, wk, c, s, heads, kEps);
        return std::vector<Tensor>{y.q, y.k, y.v};
      },
      [&] {
        const std::vector<Tensor> parts = split(qkv, {width, width, width}, 2);
        const Shape shape{2, tokens, heads, width / heads};
        const auto turned = [&](const Tensor& x, const Tensor& w) {
          return rope(reshape(rms_norm(x, w, 1, kEps), shape), c, s, heads);
        };
        return std::vector<Tensor>{turned(parts[0], wq), turned(parts[1], wk),
                                   reshape(parts[2], shape)};
      });
}

BOOST_DATA_TEST_CASE(residual_norm_is_mul_add_and_layer_norm, data::make(kDTypes), dtype) {
  const Tensor x = normal({3, 50, 37}, 1, dtype), y = normal({3, 50, 37}, 2, dtype),
               gate = normal({3, 37}, 3, dtype), scale = normal({3, 37}, 4, dtype),
               shift = normal({3, 37}, 5, dtype);
  check_same_bits(
      {x, y, gate, scale, shift},
      [&] {
        const NormedResidual r = residual_norm(x, y, gate, scale, shift, kEps);
        return std::vector<Tensor>{r.h, r.normed};
      },
      [&] {
        const Tensor h = mul_add(reshape(gate, {3, 1, 37}), y, x);
        return std::vector<Tensor>{h, modulated_layer_norm(h, scale, shift, kEps)};
      });
}

BOOST_AUTO_TEST_CASE(the_norm_of_an_f32_stream_may_be_bf16) {
  const Tensor x = normal({2, 5, 16}, 1, DType::kF32), m = normal({2, 16}, 2, DType::kF32);
  const NormedResidual r = residual_norm(x, x, m, m, m, kEps, DType::kBF16);
  BOOST_TEST((r.h.dtype() == DType::kF32));
  BOOST_TEST((r.normed.dtype() == DType::kBF16));
  BOOST_TEST(
      (values(r.normed) == values(modulated_layer_norm(r.h.detach(), m, m, kEps, DType::kBF16))));
  BOOST_CHECK_THROW(static_cast<void>(residual_norm(x, x, m, m, m, kEps, DType::kF64)),
                    InvalidArgument);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const Tensor x = normal({2, 5, 24}, 1, DType::kF32), w = normal({8}, 2, DType::kF32),
               table = normal({5, 2}, 3, DType::kF32);
  static_cast<void>(qk_norm_rope(x, w, w, table, table, 2, kEps));
  BOOST_CHECK_THROW(static_cast<void>(qk_norm_rope(x, w, w, table, table, 5, kEps)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(qk_norm_rope(x, {}, w, table, table, 2, kEps)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(qk_norm_rope(x, w, table, table, table, 2, kEps)),
                    ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(qk_norm_rope(x, w, w, table, w, 2, kEps)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(qk_norm_rope(x, cast(w, DType::kF64), cast(w, DType::kF64),
                                                   table, table, 2, kEps)),
                    InvalidArgument);
  const Tensor m = normal({2, 24}, 4, DType::kF32);
  BOOST_CHECK_THROW(static_cast<void>(residual_norm(x, x, m, m, w, kEps)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(residual_norm(x, table, m, m, m, kEps)), ShapeError);
  BOOST_CHECK_THROW(static_cast<void>(residual_norm(w, w, m, m, m, kEps)), ShapeError);
}
