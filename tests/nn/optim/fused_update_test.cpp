// FusedUpdate against AdamW, clipping and Ema applied in sequence.
#define BOOST_TEST_MODULE fused_update
#include "eflow/nn/optim/fused_update.hpp"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/memory_plan.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/weight_copy.hpp"
#include "eflow/nn/optim/grad_clip.hpp"

namespace eflow::nn {
namespace {

/// Parameters with one, many and no elements, around the block size; the last has no gradient.
const std::vector<Shape> kShapes = {{3}, {16384}, {0}, {130, 127}, {40000}, {7}};

struct Model {
  NamedTensors values, averages;

  explicit Model(DType dtype) {
    for (std::size_t i = 0; i < kShapes.size(); ++i) {
      const RandomKey key{1, static_cast<std::uint32_t>(i), 0};
      Tensor value = Tensor::zeros(kShapes[i], dtype);
      if (kShapes[i][0] > 0) {
        std::vector<std::int64_t> rows(static_cast<std::size_t>(kShapes[i][0]), 5);
        value = random_normal(kShapes[i], key, rows, dtype);
      }
      value.set_requires_grad();
      values.emplace_back("p" + std::to_string(i), value);
      averages.emplace_back("p" + std::to_string(i), Tensor::zeros(kShapes[i], dtype));
    }
  }

  void set_gradients(double scale, DType dtype) {
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
      const Tensor& p = values[i].second;
      p.set_grad(cast(p.detach() * scale + 0.01, dtype));
    }
  }
};

bool same_bits(const NamedTensors& a, const NamedTensors& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].second.to_vector<double>() != b[i].second.to_vector<double>()) return false;
  }
  return a.size() == b.size();
}

struct Types {
  DType value, gradient;
};
std::ostream& operator<<(std::ostream& out, const Types& t) {
  return out << t.value << ' ' << t.gradient;
}
const Types kTypes[] = {
    {DType::kF32, DType::kF32}, {DType::kF32, DType::kBF16}, {DType::kF64, DType::kF64}};

BOOST_DATA_TEST_CASE(the_same_bits_as_one_after_the_other, boost::unit_test::data::make(kTypes),
                     types) {
  Model one(types.value), all(types.value);
  const AdamWOptions options{.weight_decay = 0.1};
  AdamW adamw(one.values, options), fused_adamw(all.values, options);
  Ema ema(one.averages, one.values), fused_ema(all.averages, all.values);
  FusedUpdate update(&fused_adamw, &fused_ema);
  for (const double clip : {0.0, 1e-3, 1e6}) {
    one.set_gradients(0.5, types.gradient);
    all.set_gradients(0.5, types.gradient);
    const double norm = gradient_norm(one.values);
    const Tensor squares = update.squared_norm();
    BOOST_TEST(std::sqrt(squares.item()) == norm, boost::test_tools::tolerance(1e-12));
    // Both get the same norm, because the two sums differ in their last bits.
    update.apply(0.01, clip, Tensor::from(std::vector<double>{norm * norm}, {1}));
    adamw.step(0.01, clip_factor(std::sqrt(norm * norm), clip));
    ema.update();
    BOOST_TEST(same_bits(one.values, all.values));
    BOOST_TEST(same_bits(one.averages, all.averages));
    BOOST_TEST(same_bits(adamw.state(), fused_adamw.state()));
  }
  BOOST_TEST(fused_adamw.steps() == 3);
  BOOST_TEST(fused_ema.updates() == 3);
}

BOOST_AUTO_TEST_CASE(a_non_finite_norm_changes_nothing) {
  Model model(DType::kF32), before(DType::kF32);
  AdamW adamw(model.values);
  Ema ema(model.averages, model.values);
  FusedUpdate update(&adamw, &ema);
  model.set_gradients(1, DType::kF32);
  for (const double wrong : {std::numeric_limits<double>::infinity(), std::nan("")}) {
    update.apply(0.01, 1, update.squared_norm() + wrong);
    BOOST_TEST(same_bits(model.values, before.values));
    BOOST_TEST(same_bits(model.averages, before.values));
    for (const auto& [name, moment] : adamw.state()) BOOST_TEST(sum(square(moment)).item() == 0);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.to_vector<double>() == b.to_vector<double>();
}

/// The bf16 copies that products use are written with the values, unless they were stale.
BOOST_AUTO_TEST_CASE(copies_for_products_are_updated_with_the_values) {
  const NoGrad off;
  Model model(DType::kF32);
  for (const auto& [name, value] : model.values) note_use(value, MemoryUse::kParameters);
  for (const auto& [name, average] : model.averages) note_use(average, MemoryUse::kAverages);
  AdamW adamw(model.values);
  Ema ema(model.averages, model.values);
  FusedUpdate update(&adamw, &ema);
  const Tensor &value = model.values[3].second, &average = model.averages[3].second,
               &stale = model.values[4].second;
  for (const Tensor& t : {value, average, stale})
    static_cast<void>(detail::weight_in(t, DType::kBF16));
  scale_(stale, 2);
  model.set_gradients(1, DType::kF32);
  const Tensor squares = update.squared_norm();
  update.apply(0.01, 1, squares + std::nan(""));  // changes no value and no copy
  BOOST_TEST(detail::current_copy(stale) == nullptr);
  const Tensor again = update.squared_norm();
  update.apply(0.01, 1, again);
  for (const Tensor& t : {value, average}) {
    BOOST_TEST(detail::current_copy(t) != nullptr);
    BOOST_TEST(same_bits(detail::weight_in(t, DType::kBF16), cast(t, DType::kBF16)));
  }
  BOOST_TEST(same_bits(detail::weight_in(stale, DType::kBF16), cast(stale, DType::kBF16)));
  BOOST_TEST(detail::current_copy(narrow(value, 0, 0, 4)) == nullptr);  // a part
}

BOOST_AUTO_TEST_CASE(mismatched_parameters_are_refused) {
  Model model(DType::kF32);
  AdamW adamw(model.values);
  NamedTensors others = model.averages;
  others.pop_back();
  NamedTensors values = model.values;
  values.pop_back();
  Ema ema(others, values);
  BOOST_CHECK_THROW(FusedUpdate(&adamw, &ema), InvalidArgument);
  Ema whole(model.averages, model.values);
  FusedUpdate update(&adamw, &whole);
  BOOST_CHECK_THROW(update.apply(0.01, 1, Tensor::zeros({1}, DType::kF64)), InvalidArgument);
  model.set_gradients(1, DType::kF32);
  model.values[0].second.set_grad(cast(model.values[0].second.grad(), DType::kBF16));
  BOOST_CHECK_THROW(static_cast<void>(update.squared_norm()), InvalidArgument);
}

}  // namespace
}  // namespace eflow::nn
