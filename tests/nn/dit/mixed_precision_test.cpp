// Mixed precision: bf16 blocks with f32 weights stay close to f32, keep an f32 residual stream and
// return f32 gradients.
#define BOOST_TEST_MODULE mixed_precision
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "eflow/core/attention/glga.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/nn/layers/norm_layers.hpp"
#include "eflow/nn/layers/rope3d.hpp"
#include "eflow/tests/support/model_check.hpp"

namespace eflow::nn {
namespace {

DiTConfig small(AttentionKind kind) {
  DiTConfig c;
  c.frames = 4;
  c.height = c.width = 8;
  c.patch = {1, 2, 2};
  c.dim = 64;
  c.heads = 2;
  c.hidden = 128;
  c.encoder = c.middle = c.decoder = 1;
  c.window_frames = 1;
  c.attention = kind;
  c.context_dim = 5;
  c.sparse_block = 8;
  if (kind == AttentionKind::kSana) c.feed_forward = FeedForwardKind::kMix;
  return c;
}

std::unique_ptr<VideoDiT> model_in(DType compute, const DiTConfig& config) {
  auto model = std::make_unique<VideoDiT>(Scope({.seed = 1}).computing_in(compute), config);
  test::perturb(model->parameters(), 0.03);
  return model;
}

Tensor run(const VideoDiT& model) {
  Condition c;
  c.context = test::values({2, 3, 5}, 8, 1, DType::kF32);
  const auto times = [](std::vector<float> t) { return Tensor::from(t, {2}); };
  return model(test::values({2, 3, 4, 8, 8}, 1, 2, DType::kF32), times({0.7f, 0.4f}),
               times({0.3f, 0.1f}), c);
}

double norm(const Tensor& x) {
  return std::sqrt(sum(square(cast(x.detach(), DType::kF64))).item());
}

/// |a - b| / |b| in the Euclidean norm.
double relative(const Tensor& a, const Tensor& b) {
  const NoGrad off;
  return norm(a - b) / norm(b);
}

}  // namespace

BOOST_DATA_TEST_CASE(a_bf16_network_is_close_to_f32,
                     boost::unit_test::data::make({"softmax", "glga", "linear", "sana", "sla",
                                                   "vsa"}),
                     name) {
  const AttentionKind kind = attention_kind(name);
  const auto wide = model_in(DType::kF32, small(kind)), mixed = model_in(DType::kBF16, small(kind));
  const Tensor expected = run(*wide), found = run(*mixed);
  BOOST_TEST(found.dtype() == DType::kF32);
  BOOST_TEST_MESSAGE(name << ": " << relative(found, expected) << " of F is rounding");
  // Rounding can change which blocks are selected.
  const double near = kind == AttentionKind::kVsa || kind == AttentionKind::kSla ? 0.1 : 1e-2;
  BOOST_TEST(relative(found, expected) < near);
  BOOST_TEST(relative(found, expected) > 1e-5);  // it really computed in bf16

  const Tensor dy = test::values(expected.shape(), 3, 1, DType::kF32);
  backward(sum(expected * dy));
  backward(sum(found * dy));
  const NamedTensors a = wide->parameters(), b = mixed->parameters();
  double error = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    BOOST_TEST(b[i].second.dtype() == DType::kF32);
    if (!a[i].second.grad().defined()) continue;
    BOOST_TEST(b[i].second.grad().dtype() == DType::kF32, b[i].first);
    const NoGrad off;
    error += std::pow(norm(b[i].second.grad() - a[i].second.grad()), 2);
    size += std::pow(norm(a[i].second.grad()), 2);
  }
  BOOST_TEST(std::sqrt(error / size) < 5 * near);
}

/// A change of x below bf16 resolution survives a block.
BOOST_AUTO_TEST_CASE(the_residual_stream_is_not_rounded) {
  const DiTBlock block(Scope({.seed = 1}).computing_in(DType::kBF16),
                       {.width = 64,
                        .hidden = 128,
                        .heads = 2,
                        .cross_attention = false,
                        .mix_feed_forward = false,
                        .attention = {.kind = AttentionKind::kSoftmax}});
  const Tensor x = Tensor::full({1, 8, 64}, 100), modulation = Tensor::zeros({1, 6, 64});
  for (auto [name, p] : block.parameters()) p.assign(Tensor::zeros(p.shape()));
  TokenLayout layout{.rope = RopeTables::of_grid({2, 2, 2}, 32, DType::kF32, x.device()),
                     .grid = {2, 2, 2},
                     .radius = 8};
  const Tensor nudged = x + 1e-3;
  const Tensor y = block(nudged, {.modulation = modulation, .layout = layout, .context = {}});
  BOOST_TEST(y.dtype() == DType::kF32);
  BOOST_TEST(test::distance(y, nudged) == 0);
  BOOST_TEST(test::distance(y, x) > 5e-4);
}

/// The f32 weights of GLGA's norms are used as their bf16 copies, and their gradients are not rounded.
BOOST_AUTO_TEST_CASE(attention_takes_f32_norm_weights) {
  const Shape shape{2, 12, 2, 16};
  const Tensor q = test::values(shape, 1, 1, DType::kBF16),
               k = test::values(shape, 2, 1, DType::kBF16),
               v = test::values(shape, 3, 1, DType::kBF16);
  const Tensor wide = test::values({32}, 4, 1, DType::kF32),
               narrow = cast(wide, DType::kBF16).detach();
  for (const Tensor& weight : {wide, narrow}) weight.set_requires_grad();
  const GlgaOptions options{.radius = 3};
  BOOST_REQUIRE(prepare_glga(q, {}, options, true));
  const Tensor y = glga(q, k, v, {}, wide, wide, options),
               rounded = glga(q, k, v, {}, narrow, narrow, options);
  BOOST_TEST(test::distance(y, rounded) == 0);
  for (const Tensor& result : {y, rounded})
    backward(sum(result * test::values(shape, 5, 1, DType::kBF16)));
  BOOST_TEST(wide.grad().dtype() == DType::kF32);
  BOOST_TEST(test::distance(wide.grad(), narrow.grad()) < 1e-2 * test::largest(wide.grad()));
  BOOST_TEST(test::distance(wide.grad(), narrow.grad()) > 0);
  BOOST_CHECK_THROW(static_cast<void>(glga(q, k, v, {}, cast(wide, DType::kF64), wide, options)),
                    InvalidArgument);
}

BOOST_AUTO_TEST_CASE(norms_accept_and_return_both_dtypes) {
  const Tensor x = test::values({3, 7, 24}, 1, 1, DType::kF32),
               shift = test::values({3, 24}, 2, 1, DType::kF32);
  const Tensor dy = test::values({3, 7, 24}, 5, 1, DType::kBF16);
  for (const Tensor& leaf : {x, shift}) leaf.set_requires_grad();
  const Tensor wide = modulated_layer_norm(x, shift, shift, kNormEps);
  backward(sum(wide * cast(dy, DType::kF32)));
  const Tensor dx = x.grad(), dshift = shift.grad();
  for (const Tensor& leaf : {x, shift}) leaf.clear_grad();
  const Tensor y = modulated_layer_norm(x, shift, shift, kNormEps, DType::kBF16);
  BOOST_TEST(y.dtype() == DType::kBF16);
  BOOST_TEST(test::distance(y, wide) < 8e-3 * test::largest(wide));
  backward(sum(y * dy));
  BOOST_TEST(x.grad().dtype() == DType::kF32);
  BOOST_TEST(test::distance(x.grad(), dx) <
             1e-5 * test::largest(dx));  // dy is equal, and nothing else is rounded
  BOOST_TEST(test::distance(shift.grad(), dshift) < 1e-5 * test::largest(dshift));

  const Tensor narrow = test::values({3, 7, 24}, 1, 1, DType::kBF16),
               weight = test::values({24}, 6, 1, DType::kF32);
  weight.set_requires_grad();
  const Tensor normed = rms_norm(narrow, weight, 3, kNormEps);
  const Tensor exact = rms_norm(cast(narrow, DType::kF32), weight, 3, kNormEps);
  BOOST_TEST(normed.dtype() == DType::kBF16);
  BOOST_TEST(test::distance(normed, exact) < 8e-3 * test::largest(exact));
  backward(sum(normed * dy));
  const Tensor dweight = weight.grad();
  BOOST_TEST(dweight.dtype() == DType::kF32);
  weight.clear_grad();
  backward(sum(exact * cast(dy, DType::kF32)));
  BOOST_TEST(test::distance(dweight, weight.grad()) < 1e-5 * test::largest(dweight));
}

}  // namespace eflow::nn
