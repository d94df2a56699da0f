// Elementwise ops of one, two and three operands. A unary op is one row of the table below: its
// function, its gradient as another elementwise function, and whether the gradient reads the
// operand or the result.

#include "eflow/core/base/error.hpp"
#include "eflow/core/ops/square_error.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"

namespace eflow {
namespace {

using args::Function;
using detail::launch_elementwise;
using detail::sum_to;

/// Attributes: the scalar parameters of the function.
struct Scalars {
  double a = 0, b = 0;
};

// ---- one operand --------------------------------------------------------------------------------

/// The tensor that the gradient reads, and forward therefore saves.
enum class Reads { kOperand, kResult };

template <class Rule>
std::vector<TensorSpec> infer_unary(std::span<const Tensor> x, const Scalars&) {
  return {{x[0].shape(), detail::floating_dtype(x[0], Rule::kName)}};
}

template <class Rule>
void forward_unary(Call<Scalars>& call) {
  const auto [a, b] = call.attrs;
  launch_elementwise(Rule::kForward, call.outputs[0], {call.inputs[0]}, a, b);
  call.save(Rule::kReads == Reads::kOperand ? call.inputs[0] : call.outputs[0]);
}

template <class Rule>
Tensors vjp_unary(const Call<Scalars>& call, std::span<const Tensor> dy) {
  Tensor dx = Tensor::empty(call.in[0].shape, call.in[0].dtype, dy[0].device());
  launch_elementwise(Rule::kGradient, dx, {call.saved[0], dy[0]}, call.attrs.a, call.attrs.b);
  return {dx};
}

template <class Rule>
std::vector<Sample> samples_unary() {
  const double low = Rule::kPositive ? 0.3 : -2.0;
  const auto run = [](const Tensors& x) { return Tensors{Rule::run(x[0])}; };
  std::vector<Sample> out;
  for (const Shape& shape : {Shape{3, 5}, Shape{1}, Shape{2, 37}}) {
    out.push_back({str(shape), {{shape, low, 2.0}}, run, {}, Rule::kKink ? 0.05 : 0});
  }
  out.push_back({"transposed",
                 {{{5, 3}, low, 2.0}},
                 [](const Tensors& x) { return Tensors{Rule::run(transpose(x[0], 0, 1))}; },
                 {},
                 Rule::kKink ? 0.05 : 0});
  return out;
}

// Name, function, forward and gradient in args/elementwise.h, saved tensor, whether samples must be
// positive, whether there is a kink at 0.
#define EFLOW_UNARY(Name, function, forward, gradient, reads, positive, kink)         \
  struct Name {                                                                       \
    static constexpr std::string_view kName = #function;                              \
    static constexpr Function kForward = args::forward, kGradient = args::gradient;   \
    static constexpr Reads kReads = Reads::reads;                                     \
    static constexpr bool kPositive = positive, kKink = kink;                         \
    static Tensor run(const Tensor& x) { return function(x); }                        \
  };                                                                                  \
  constexpr OpDef<Scalars> k##Name{#function, infer_unary<Name>, forward_unary<Name>, \
                                   vjp_unary<Name>, samples_unary<Name>};

EFLOW_UNARY(Exp, exp, kExp, kExpGrad, kResult, false, false)
EFLOW_UNARY(Log, log, kLog, kLogGrad, kOperand, true, false)
EFLOW_UNARY(Sqrt, sqrt, kSqrt, kSqrtGrad, kResult, true, false)
EFLOW_UNARY(Rsqrt, rsqrt, kRsqrt, kRsqrtGrad, kResult, true, false)
EFLOW_UNARY(Square, square, kSquare, kSquareGrad, kOperand, false, false)
EFLOW_UNARY(Reciprocal, reciprocal, kReciprocal, kReciprocalGrad, kResult, true, false)
EFLOW_UNARY(Sigmoid, sigmoid, kSigmoid, kSigmoidGrad, kResult, false, false)
EFLOW_UNARY(Silu, silu, kSilu, kSiluGrad, kOperand, false, false)
EFLOW_UNARY(Gelu, gelu, kGelu, kGeluGrad, kOperand, false, false)
EFLOW_UNARY(Tanh, tanh, kTanh, kTanhGrad, kResult, false, false)
EFLOW_UNARY(Relu, relu, kRelu, kReluGrad, kOperand, false, true)
EFLOW_UNARY(Sin, sin, kSin, kSinGrad, kOperand, false, false)
EFLOW_UNARY(Cos, cos, kCos, kCosGrad, kOperand, false, false)

struct ClampMin {
  static constexpr std::string_view kName = "clamp_min";
  static constexpr Function kForward = args::kClampMin, kGradient = args::kClampMinGrad;
  static constexpr Reads kReads = Reads::kOperand;
  static constexpr bool kPositive = false, kKink = true;
  static Tensor run(const Tensor& x) { return clamp_min(x, 0); }
};
constexpr OpDef<Scalars> kClampMin{"clamp_min", infer_unary<ClampMin>, forward_unary<ClampMin>,
                                   vjp_unary<ClampMin>, samples_unary<ClampMin>};

struct Power {
  static constexpr std::string_view kName = "power";
  static constexpr Function kForward = args::kPower, kGradient = args::kPowerGrad;
  static constexpr Reads kReads = Reads::kOperand;
  static constexpr bool kPositive = true, kKink = false;
  static Tensor run(const Tensor& x) { return power(x, 0.5, -0.75); }
};
constexpr OpDef<Scalars> kPower{"power", infer_unary<Power>, forward_unary<Power>, vjp_unary<Power>,
                                samples_unary<Power>};

constexpr OpDef<Scalars> kAffine{
    "affine",
    [](std::span<const Tensor> x, const Scalars&) -> std::vector<TensorSpec> {
      return {{x[0].shape(), detail::floating_dtype(x[0], "affine")}};
    },
    [](Call<Scalars>& call) {
      launch_elementwise(args::kAffine, call.outputs[0], {call.inputs[0]}, call.attrs.a,
                         call.attrs.b);
    },
    [](const Call<Scalars>& call, std::span<const Tensor> dy) -> Tensors {
      return {affine(dy[0], call.attrs.a, 0)};
    },
    []() -> std::vector<Sample> {
      return {
          {"3 x - 2", {{{4, 7}}}, [](const Tensors& x) { return Tensors{affine(x[0], 3, -2)}; }},
          {"-x", {{{5}}}, [](const Tensors& x) { return Tensors{-x[0]}; }}};
    }};

struct CastTo {
  DType dtype = DType::kF32;
};
constexpr OpDef<CastTo> kCast{
    "cast",
    [](std::span<const Tensor> x, const CastTo& a) -> std::vector<TensorSpec> {
      static_cast<void>(detail::floating_dtype(x[0], "cast"));
      if (!is_floating(a.dtype))
        throw InvalidArgument(
            str("[cast] cannot cast to ", a.dtype, "; expected f32, f64 or bf16"));
      return {{x[0].shape(), a.dtype}};
    },
    [](Call<CastTo>& call) { launch_elementwise(args::kCopy, call.outputs[0], {call.inputs[0]}); },
    [](const Call<CastTo>& call, std::span<const Tensor> dy) -> Tensors {
      return {cast(dy[0], call.in[0].dtype)};
    },
    []() -> std::vector<Sample> {
      return {{"to itself and back through f64", {{{3, 4}}}, [](const Tensors& x) {
                 return Tensors{cast(cast(x[0], DType::kF64), x[0].dtype())};
               }}};
    }};

// ---- two operands -------------------------------------------------------------------------------

template <Function kFunction>
std::vector<TensorSpec> infer_binary(std::span<const Tensor> x, const NoAttrs&) {
  constexpr const char* kName = kFunction == args::kAdd   ? "add"
                                : kFunction == args::kSub ? "sub"
                                : kFunction == args::kMul ? "mul"
                                : kFunction == args::kDiv ? "div"
                                                          : "maximum";
  detail::require_same_dtype(kName, {x[0], x[1]});
  return {
      {broadcast_shapes(x[0].shape(), x[1].shape(), kName), detail::floating_dtype(x[0], kName)}};
}

template <Function kFunction>
void forward_binary(Call<NoAttrs>& call) {
  launch_elementwise(kFunction, call.outputs[0], {call.inputs[0], call.inputs[1]});
  if constexpr (kFunction == args::kMul) {
    call.save(call.needs[1] ? call.inputs[0] : Tensor());
    call.save(call.needs[0] ? call.inputs[1] : Tensor());
  } else if constexpr (kFunction == args::kDiv || kFunction == args::kMaximum) {
    call.save(call.inputs[0]);
    call.save(call.inputs[1]);
  }
}

/// Sums gradients of the output's shape to the shapes of the inputs.
Tensors reduce_each(const Call<NoAttrs>& call, Tensors full) {
  for (std::size_t i = 0; i < full.size(); ++i) {
    if (full[i].defined()) full[i] = sum_to(full[i], call.in[i].shape);
  }
  return full;
}

/// Returns the gradients of a and b, given dy = d(a b). A factor is saved if the other one requires
/// a gradient.
Tensors product_grads(const Call<NoAttrs>& call, const Tensor& dy) {
  Tensors out(2);
  for (std::size_t i = 0; i < 2; ++i) {
    if (call.needs[i]) out[i] = detail::sum_product_to(dy, call.saved[1 - i], call.in[i].shape);
  }
  return out;
}

Tensor ternary(Function f, const Tensor& a, const Tensor& b, const Tensor& c) {
  Tensor y = Tensor::empty(c.shape(), c.dtype(), c.device());
  launch_elementwise(f, y, {a, b, c});
  return y;
}

template <Function kFunction>
Tensors vjp_binary(const Call<NoAttrs>& call, std::span<const Tensor> dys) {
  const Tensor& dy = dys[0];
  Tensors out(2);
  if constexpr (kFunction == args::kAdd) {
    out = {dy, dy};
  } else if constexpr (kFunction == args::kSub) {
    out[0] = dy;
    if (call.needs[1]) out[1] = -dy;
  } else if constexpr (kFunction == args::kMul) {
    return product_grads(call, dy);
  } else if constexpr (kFunction == args::kDiv) {
    if (call.needs[0]) out[0] = dy / call.saved[1];
    if (call.needs[1]) out[1] = ternary(args::kDivGrad, call.saved[0], call.saved[1], dy);
  } else {
    out[0] = ternary(args::kMaximumGrad, call.saved[0], call.saved[1], dy);
    if (call.needs[1]) out[1] = dy - out[0];
  }
  for (int i = 0; i < 2; ++i) {
    if (!call.needs[static_cast<std::size_t>(i)]) out[static_cast<std::size_t>(i)] = Tensor();
  }
  return reduce_each(call, out);
}

template <Function kFunction>
std::vector<Sample> samples_binary() {
  const auto run = [](const Tensors& x) -> Tensors {
    if constexpr (kFunction == args::kAdd)
      return {x[0] + x[1]};
    else if constexpr (kFunction == args::kSub)
      return {x[0] - x[1]};
    else if constexpr (kFunction == args::kMul)
      return {x[0] * x[1]};
    else if constexpr (kFunction == args::kDiv)
      return {x[0] / x[1]};
    else
      return {maximum(x[0], x[1])};
  };
  const double low = kFunction == args::kDiv ? 0.5 : -1.0;
  std::vector<Sample> out;
  const std::pair<Shape, Shape> shapes[] = {{{3, 4}, {3, 4}},
                                            {{2, 3, 4}, {4}},
                                            {{2, 1, 5}, {3, 1}},
                                            {{1}, {2, 19}},
                                            {{2, 3, 1, 4}, {2, 1, 5, 1}}};
  for (const auto& [a, b] : shapes) {
    // Disjoint ranges keep maximum() away from its kink at a = b.
    out.push_back({str(a, " and ", b),
                   {{a, low, 1.2}, {b, kFunction == args::kMaximum ? 1.3 : low, 2.0}},
                   run});
  }
  return out;
}

#define EFLOW_BINARY(Name, text, f)                                                   \
  constexpr OpDef<NoAttrs> Name{text, infer_binary<args::f>, forward_binary<args::f>, \
                                vjp_binary<args::f>, samples_binary<args::f>};
EFLOW_BINARY(kAdd, "add", kAdd)
EFLOW_BINARY(kSub, "sub", kSub)
EFLOW_BINARY(kMul, "mul", kMul)
EFLOW_BINARY(kDiv, "div", kDiv)
EFLOW_BINARY(kMaximum, "maximum", kMaximum)

// ---- three operands -----------------------------------------------------------------------------

constexpr OpDef<NoAttrs> kMulAdd{
    "mul_add",
    [](std::span<const Tensor> x, const NoAttrs&) -> std::vector<TensorSpec> {
      detail::require_same_dtype("mul_add", {x[0], x[1], x[2]});
      const Shape product = broadcast_shapes(x[0].shape(), x[1].shape(), "mul_add");
      return {{broadcast_shapes(product, x[2].shape(), "mul_add"),
               detail::floating_dtype(x[0], "mul_add")}};
    },
    [](Call<NoAttrs>& call) {
      launch_elementwise(args::kMulAdd, call.outputs[0],
                         {call.inputs[0], call.inputs[1], call.inputs[2]});
      call.save(call.needs[1] ? call.inputs[0] : Tensor());
      call.save(call.needs[0] ? call.inputs[1] : Tensor());
    },
    [](const Call<NoAttrs>& call, std::span<const Tensor> dy) -> Tensors {
      Tensors out = product_grads(call, dy[0]);
      out.push_back(call.needs[2] ? detail::sum_to(dy[0], call.in[2].shape) : Tensor());
      return out;
    },
    []() -> std::vector<Sample> {
      const auto run = [](const Tensors& x) { return Tensors{mul_add(x[0], x[1], x[2])}; };
      const auto small_ops = [](const Tensors& x) { return Tensors{x[0] * x[1] + x[2]}; };
      return {{"same shape", {{{3, 4}}, {{3, 4}}, {{3, 4}}}, run, small_ops},
              {"gated residual", {{{2, 1, 5}}, {{2, 3, 5}}, {{2, 3, 5}}}, run, small_ops},
              {"scale and shift", {{{2, 3, 5}}, {{2, 1, 5}}, {{2, 1, 5}}}, run, small_ops}};
    }};

}  // namespace

Tensor operator+(const Tensor& a, const Tensor& b) {
  return apply(kAdd, {a, b})[0];
}
Tensor operator-(const Tensor& a, const Tensor& b) {
  return apply(kSub, {a, b})[0];
}
Tensor operator*(const Tensor& a, const Tensor& b) {
  return apply(kMul, {a, b})[0];
}
Tensor operator/(const Tensor& a, const Tensor& b) {
  return apply(kDiv, {a, b})[0];
}
Tensor maximum(const Tensor& a, const Tensor& b) {
  return apply(kMaximum, {a, b})[0];
}
Tensor mul_add(const Tensor& a, const Tensor& b, const Tensor& c) {
  return apply(kMulAdd, {a, b, c})[0];
}
Tensor operator-(const Tensor& x) {
  return affine(x, -1, 0);
}
Tensor affine(const Tensor& x, double a, double b) {
  return apply(kAffine, {x}, Scalars{a, b})[0];
}
Tensor clamp_min(const Tensor& x, double low) {
  return apply(kClampMin, {x}, Scalars{low, 0})[0];
}
Tensor power(const Tensor& x, double a, double p) {
  return apply(kPower, {x}, Scalars{a, p})[0];
}
Tensor exp(const Tensor& x) {
  return apply(kExp, {x})[0];
}
Tensor log(const Tensor& x) {
  return apply(kLog, {x})[0];
}
Tensor sqrt(const Tensor& x) {
  return apply(kSqrt, {x})[0];
}
Tensor rsqrt(const Tensor& x) {
  return apply(kRsqrt, {x})[0];
}
Tensor square(const Tensor& x) {
  return apply(kSquare, {x})[0];
}
Tensor reciprocal(const Tensor& x) {
  return apply(kReciprocal, {x})[0];
}
Tensor sigmoid(const Tensor& x) {
  return apply(kSigmoid, {x})[0];
}
Tensor silu(const Tensor& x) {
  return apply(kSilu, {x})[0];
}
Tensor gelu(const Tensor& x) {
  return apply(kGelu, {x})[0];
}
Tensor tanh(const Tensor& x) {
  return apply(kTanh, {x})[0];
}
Tensor relu(const Tensor& x) {
  return apply(kRelu, {x})[0];
}
Tensor sin(const Tensor& x) {
  return apply(kSin, {x})[0];
}
Tensor cos(const Tensor& x) {
  return apply(kCos, {x})[0];
}
Tensor cast(const Tensor& x, DType dtype) {
  return x.dtype() == dtype ? x : apply(kCast, {x}, CastTo{dtype})[0];
}

std::vector<OpEntry> detail::elementwise_ops() {
  return {entry_of(kAdd),      entry_of(kSub),    entry_of(kMul),    entry_of(kDiv),
          entry_of(kMaximum),  entry_of(kMulAdd), entry_of(kAffine), entry_of(kCast),
          entry_of(kClampMin), entry_of(kPower),  entry_of(kExp),    entry_of(kLog),
          entry_of(kSqrt),     entry_of(kRsqrt),  entry_of(kSquare), entry_of(kReciprocal),
          entry_of(kSigmoid),  entry_of(kSilu),   entry_of(kGelu),   entry_of(kTanh),
          entry_of(kRelu),     entry_of(kSin),    entry_of(kCos)};
}

}  // namespace eflow
