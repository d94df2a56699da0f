#include "eflow/tests/core/ptx/kernel_calls.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <random>
#include <span>

#include "eflow/core/attention/qk_norm.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/copies/permuted_copy.hpp"
#include "eflow/core/ops/gemm.hpp"
#include "eflow/core/ops/parameter_list.hpp"
#include "eflow/core/ops/residual_norm.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/support/default_device.hpp"
#include "eflow/tests/support/op_check.hpp"
#include "eflow/tests/support/tolerance.hpp"

namespace eflow::test {
namespace {

using enum DType;

struct Input {
  Shape shape;
  DType dtype;
  bool differentiable = true;
};

/// A call with inputs on the default device.
struct Call {
  std::vector<Input> inputs;
  std::function<Tensors(const Tensors&)> run;
  bool gradients = true;
};

/// Waves between -0.8 and 0.8; integers count.
Tensor make(const Input& input, double phase) {
  std::vector<double> values(static_cast<std::size_t>(element_count(input.shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto x = static_cast<double>(i);
    values[i] = is_floating(input.dtype) ? 0.8 * std::sin(1.7 * x + phase) : std::fmod(x, 101);
  }
  const NoGrad off;
  if (input.dtype == kU8) {
    const std::vector<std::uint8_t> bytes(values.begin(), values.end());
    const Tensor t = Tensor::zeros(input.shape, kU8);
    t.assign_bytes(std::as_bytes(std::span(bytes)));
    return t;
  }
  if (input.dtype == kI32)
    return Tensor::from(std::vector<std::int32_t>(values.begin(), values.end()), input.shape);
  if (input.dtype == kI64)
    return Tensor::from(std::vector<std::int64_t>(values.begin(), values.end()), input.shape);
  Tensor t = cast(Tensor::from(values, input.shape), input.dtype).detach();
  if (input.differentiable) t.set_requires_grad();
  return t;
}

Values numbers(const Tensor& t) {
  if (t.dtype() == kI32) {
    const auto v = t.to_vector<std::int32_t>();
    return {v.begin(), v.end()};
  }
  if (t.dtype() == kI64) {
    const auto v = t.to_vector<std::int64_t>();
    return {v.begin(), v.end()};
  }
  if (t.dtype() != kU8) return t.to_vector<double>();
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(t.count()));
  t.device()->copy_out(bytes.data(), t.data(), bytes.size(), {});
  t.device()->synchronize({});
  return {bytes.begin(), bytes.end()};
}

/// The outputs, then the gradients of the sum of their squares.
std::vector<Values> evaluate(const Call& call, const DevicePtr& device) {
  const DefaultDevice here(device);
  Tensors in;
  for (std::size_t i = 0; i < call.inputs.size(); ++i)
    in.push_back(make(call.inputs[i], static_cast<double>(i)));
  const Tensors outputs = call.run(in);
  std::vector<Values> found;
  Tensor loss;
  for (const Tensor& y : outputs) {
    found.push_back(numbers(y));
    if (!call.gradients) continue;
    const Tensor part = cast(sum(square(y)), kF32);
    loss = loss.defined() ? loss + part : part;
  }
  if (call.gradients) backward(loss);
  for (const Tensor& x : in) {
    if (call.gradients && x.grad().defined()) found.push_back(x.grad().to_vector<double>());
  }
  return found;
}

void check(const Call& call, Tolerance t, const DevicePtr& device) {
  const DevicePtr cpu = default_device();
  const std::vector<Values> expected = evaluate(call, cpu), found = evaluate(call, device);
  BOOST_REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Difference d = difference(found[i], expected[i]);
    BOOST_TEST(d.largest <= t.absolute + t.relative * d.scale,
               "value " << i << " differs by " << d.largest << " of " << d.scale);
  }
}

/// Parameters with gradients of a dtype, updated as a list.
Tensors update_list(const Tensors& t, DType gradient) {
  const auto of_parameter = [&](std::size_t i) {
    const NoGrad off;
    const Tensor p = contiguous(t[i].detach() * 1.0), zero = p * 0.0;
    p.set_grad(cast(p * 0.5, gradient));
    return ListedParameter{.value = p, .m = zero, .v = zero * 1.0, .average = contiguous(p * 0.9)};
  };
  const std::vector<ListedParameter> parameters{of_parameter(0), of_parameter(1)};
  ParameterList list(parameters);
  const Tensor norm = list.squared_norm();
  list.update({.adamw = {1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 1}, .clip = 1, .average_decay = 0.9}, norm);
  Tensors out{norm};
  for (const ListedParameter& p : parameters) out.insert(out.end(), {p.value, p.m, p.v, p.average});
  return out;
}

/// A tensor's shape and the order of dimensions in which it is copied.
struct Permutation {
  Shape shape;
  std::vector<int> order;
};

/// A copy for each specialisation of permute.h that some order of some shape needs: found by trying.
std::vector<Permutation> permutations(DType dtype) {
  constexpr std::int64_t kSizes[] = {2, 3, 4, 5, 6, 8, 12, 16, 20, 24, 40, 64, 72};
  std::map<std::pair<int, int>, Permutation> found;
  std::mt19937 random(5);
  for (int trial = 0; trial < 20000; ++trial) {
    Shape shape;
    std::vector<int> order;
    for (const auto rank = static_cast<int>(2 + random() % 6); shape.rank() < rank;) {
      order.push_back(shape.rank());
      shape.push_back(kSizes[random() % std::size(kSizes)]);
    }
    if (element_count(shape) > 30000) continue;
    std::shuffle(order.begin(), order.end(), random);
    const auto dense = contiguous_strides(shape);
    Shape permuted;
    Strides strides;
    for (const int d : order) {
      permuted.push_back(shape[d]);
      strides.push_back(dense[d]);
    }
    const auto plan = detail::plan_permuted_copy(permuted, strides, contiguous_strides(permuted),
                                                 static_cast<std::int64_t>(size_of(dtype)));
    if (plan) found.try_emplace({plan->rank, plan->rank_of_y}, Permutation{shape, order});
  }
  std::vector<Permutation> out;
  for (const auto& [ranks, permutation] : found) out.push_back(permutation);
  return out;
}

}  // namespace

std::vector<KernelCall> kernel_calls() {
  std::vector<KernelCall> out;
  const auto add = [&](const std::string& name, const Call& call, Tolerance t) {
    out.push_back({name, [=](const DevicePtr& device) { check(call, t, device); }});
  };
  const auto add_exact = [&](const std::string& name, Call call) {
    call.gradients = false;
    add(name, call, {0, 0});
  };
  for (const DType dtype : {kU8, kI32, kI64}) {
    add_exact(str("concat and transpose ", dtype),
              {{{{3, 5}, dtype}, {{3, 70}, dtype}}, [](const Tensors& t) {
                 return Tensors{concat(t, 1), contiguous(transpose(t[1], 0, 1))};
               }});
  }
  for (const DType dtype : {kF32, kF64, kBF16}) {
    const Tolerance t = tolerance_of(dtype);
    add(str("random ", dtype),
        {{},
         [=](const Tensors&) {
           const RandomKey key{7, 3, 11};
           return Tensors{random_normal({2, 301}, key, {4, 9}, dtype),
                          random_uniform({2, 301}, key, {4, 9}, dtype)};
         },
         false},
        t);
    add(str("sum of squares ", dtype),
        {{{{300, 70}, dtype}, {{5}, dtype}},
         [](const Tensors& x) {
           return Tensors{Tensor::from(std::vector<double>{sum_of_squares(x)}, {1})};
         },
         false},
        tolerance_of(kF64));
  }
  for (const auto& [value, gradient] : {std::pair{kF32, kF32}, {kF32, kBF16}, {kF64, kF64}}) {
    const Tolerance t = tolerance_of(value);
    add(str("optimizer ", value, " with gradients ", gradient),
        {{{{40, 431}, value}, {{13}, value}, {{40, 431}, gradient}},
         [=](const Tensors& x) {
           const NoGrad off;
           const Tensor p = contiguous(x[0].detach() * 1.0), m = contiguous(p * 0.1),
                        v = contiguous(square(p)), average = contiguous(p * 0.9), g = x[2].detach();
           adamw_(p, m, v, g, {1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.5});
           lerp_(average, g, 0.9);
           return Tensors{p, m, v, average};
         },
         false},
        t);
    add(str("list of parameters ", value, " with gradients ", gradient),
        {{{{40, 431}, value}, {{13}, value}},
         [=](const Tensors& x) { return update_list(x, gradient); },
         false},
        t);
  }
  for (const DType dtype : {kF32, kBF16}) {
    out.push_back({str("permuted copies ", dtype), [=](const DevicePtr& device) {
                     for (const Permutation& p : permutations(dtype)) {
                       check({{{p.shape, dtype}},
                              [order = p.order](const Tensors& x) {
                                return Tensors{contiguous(permute(x[0], order))};
                              },
                              false},
                             {0, 0}, device);
                     }
                   }});
  }
  // Mixed precision: f32 weights and residual stream, bf16 branches.
  const Tolerance mixed = tolerance_of(kBF16);
  add("bf16 to f32",
      {{{{7, 9}, kBF16}}, [](const Tensors& x) { return Tensors{cast(x[0], kF32)}; }}, mixed);
  add("rms_norm of bf16 with f32 weights",
      {{{{2, 9, 48}, kBF16}, {{48}, kF32}},
       [](const Tensors& x) { return Tensors{rms_norm(x[0], x[1], 2, 1e-6)}; }},
      mixed);
  add("layer norm of f32 to bf16",
      {{{{2, 9, 48}, kF32}, {{2, 48}, kF32}, {{2, 48}, kF32}},
       [](const Tensors& x) {
         return Tensors{modulated_layer_norm(x[0], x[1], x[2], 1e-6, kBF16)};
       }},
      mixed);
  add("rope of bf16 with f32 tables",
      {{{{2, 9, 2, 16}, kBF16}, {{9, 8}, kF32, false}, {{9, 8}, kF32, false}},
       [](const Tensors& x) { return Tensors{rope(x[0], x[1], x[2], 2)}; }},
      mixed);
  add("qk_norm_rope of bf16 with f32 weights",
      {{{{2, 9, 96}, kBF16},
        {{32}, kF32},
        {{32}, kF32},
        {{9, 8}, kF32, false},
        {{9, 8}, kF32, false}},
       [](const Tensors& x) {
         const QkvHeads r = qk_norm_rope(x[0], x[1], x[2], x[3], x[4], 2, 1e-6);
         return Tensors{r.q, r.k, r.v};
       }},
      mixed);
  add("residual_norm of f32 to bf16",
      {{{{2, 9, 48}, kF32}, {{2, 9, 48}, kF32}, {{2, 48}, kF32}, {{2, 48}, kF32}, {{2, 48}, kF32}},
       [](const Tensors& x) {
         const NormedResidual r = residual_norm(x[0], x[1], x[2], x[3], x[4], 1e-6, kBF16);
         return Tensors{r.h, r.normed};
       }},
      mixed);
  add("a long sum of products of bf16",
      {{{{2, 512, 40}, kBF16}, {{40}, kBF16}},
       [](const Tensors& x) { return Tensors{mul_add(x[0], x[1], x[0])}; }},
      mixed);
  // Enough tiles for gemm_large, ragged at both edges and along k, in every layout.
  for (const auto& [in, result] : {std::pair{kF32, kF32}, {kBF16, kBF16}, {kBF16, kF32}}) {
    for (const auto& [rows_of_a, rows_of_b] :
         {std::pair{true, true}, {true, false}, {false, false}}) {
      const Shape a = rows_of_a ? Shape{66, 130, 41} : Shape{66, 41, 130},
                  b = rows_of_b ? Shape{66, 97, 41} : Shape{66, 41, 97};
      add(str("large product ", in, " to ", result, rows_of_a ? ", k along rows of a" : "",
              rows_of_b ? ", k along rows of b" : ""),
          {{{a, in}, {b, in}, {{97}, result}},
           [=, along_a = rows_of_a, along_b = rows_of_b, to = result](const Tensors& x) {
             const NoGrad off;
             const Tensor c = Tensor::zeros({66, 130, 97}, to),
                          aux = Tensor::zeros({66, 130, 97}, to);
             detail::gemm(along_a ? x[0] : transpose(x[0], 1, 2),
                          along_b ? transpose(x[1], 1, 2) : x[1], c, 0.5, 0,
                          {.bias = x[2], .gelu = args::kGeluOfSum, .aux = aux});
             return Tensors{c, aux};
           },
           false},
          in == kF32 ? Tolerance{1e-4, 1e-4} : mixed);
    }
  }
  return out;
}

}  // namespace eflow::test
