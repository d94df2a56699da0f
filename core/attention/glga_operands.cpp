#include "eflow/core/attention/glga_operands.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {
namespace {

using Local = GlgaOptions::Local;

/// Constants of a glga text, see core/attention/glga_definitions.cpp.
enum Constant { kHead, kLocal, kGlobal, kGates, kNormed, kRadius, kKept };

/// Upper bound of a tile's rows; tokens per partial sum of glga_state; maximum number of partial
/// sums.
constexpr std::int64_t kLongestTile = 128, kStateChunk = 1024, kMostSplits = 16;

args::GlgaRows rows_of(const Tensor& x) {
  return {x.data(), x.strides()[0], x.strides()[1], x.strides()[2]};
}

DevicePtr device_of(const jit::Runtime& runtime) {
  return runtime.target().backend == jit::Backend::kHost ? default_device()
                                                         : make_device(runtime.options());
}

}  // namespace

GlgaProblem::GlgaProblem(jit::Backend backend, const std::string& text, const jit::KernelSpec& spec,
                         const std::vector<std::int64_t>& sizes)
    : tokens(sizes.at(0)), heads(sizes.at(1)) {
  const int* const c = spec.constants;
  call = {.backend = backend,
          .dtype = static_cast<DType>(spec.dtypes[0]),
          .head = c[kHead],
          .gates = static_cast<GlgaGateKind>(c[kGates]),
          .kept = c[kKept] > 0,
          .queries = tokens};
  if (text != "glga_state") {
    options.local = static_cast<Local>(c[kLocal]);
    options.global = c[kGlobal] != 0;
    options.normed = c[kNormed] != 0;
    options.radius = c[kRadius] < 0 ? sizes.at(2) : c[kRadius];
    if (call.kept) options.kept_percent = c[kKept];
  }
  const bool known =
      call.dtype == DType::kF32 || call.dtype == DType::kF64 || call.dtype == DType::kBF16;
  if (!known || !GlgaKernels::fits(backend, call.dtype, call.head) || c[kHead] < 8 || tokens < 1 ||
      heads < 1 || c[kLocal] < 0 || (text != "glga_state" && (c[kLocal] > 2 || c[kGates] > 2))) {
    throw InvalidArgument(
        str("[glga] no kernel for ", to_string(spec, text),
            "; expected f32, f64 or bf16, a head of 8 to 256 channels, divisible by "
            "8, and the constants listed in docs/specialisations.md"));
  }
}

std::int64_t GlgaProblem::reach() const {
  return call.kept ? options.radius * options.kept_percent / 100 : options.radius;
}

double GlgaProblem::pairs() const {
  const double all = static_cast<double>(tokens) * static_cast<double>(tokens);
  if (options.local != Local::kWindow) return options.local == Local::kNone ? 0 : all;
  double sum = 0;
  for (std::int64_t i = 0; i < tokens; ++i) {
    sum += static_cast<double>(std::min(tokens, i + reach() + 1) -
                               std::max<std::int64_t>(0, i - reach()));
  }
  return sum;
}

// Values in [-1, 1] with a prime period. A sine for each element would take a minute at 32 Ki tokens.
Tensor GlgaOperands::numbers(const Shape& shape, DType dtype, int seed) const {
  constexpr std::size_t kPeriod = 65521;
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i < kPeriod ? static_cast<float>(std::sin(seed + 12.9898 * static_cast<double>(i)))
                            : values[i - kPeriod];
  }
  const NoGrad off;
  return cast(Tensor::from(values, shape, device_), dtype);
}

GlgaOperands::GlgaOperands(jit::Runtime& runtime, const GlgaProblem& p)
    : device_(device_of(runtime)) {
  const std::int64_t n = p.tokens, heads = p.heads, d = p.call.head;
  const DType dtype = p.call.dtype, sums = accumulator_of(dtype);
  const Shape rows{1, n, heads, d}, numbers_of_rows{1, heads, n}, square{1, heads, d, d};
  const std::int64_t width = p.call.gates == GlgaGateKind::kChannel ? d : 1;
  q_ = numbers(rows, dtype, 1);
  k_ = numbers(rows, dtype, 2);
  v_ = numbers(rows, dtype, 3);
  local_ = numbers(rows, dtype, 4);
  gates_ = numbers({1, n, 2, heads, width}, dtype, 5);
  out = numbers(rows, dtype, 6);
  local_grad = numbers(rows, dtype, 7);
  global_grad = numbers(rows, dtype, 8);
  delta = numbers(numbers_of_rows, sums, 9);
  // Scores of these q and k are near 0, so this approximates the log-sum-exp of a forward pass.
  const double seen = std::max(1.0, p.pairs() / static_cast<double>(n));
  lse_ = Tensor::full(numbers_of_rows, std::log2(seen) + 1, sums, device_);
  state_ = numbers(square, sums, 10);
  d_state_ = numbers(square, sums, 11);
  dq = Tensor::empty(rows, dtype, device_);
  dk = Tensor::empty(rows, dtype, device_);
  dv = Tensor::empty(rows, dtype, device_);
  d_gates_ = Tensor::empty({1, n, 2, heads, width}, sums, device_);
  d_weights_ = Tensor::empty({1, n, 2, heads, d}, sums, device_);
  std::vector<std::int32_t> ranges;
  for (std::int64_t i = 0; i < n; ++i) {
    ranges.push_back(static_cast<std::int32_t>(std::max<std::int64_t>(0, i - p.reach())));
    ranges.push_back(static_cast<std::int32_t>(std::min(n, i + p.reach() + 1)));
  }
  ranges_ = Tensor::from(ranges, {n, 2}, device_);
  std::int64_t most = 0;
  for (int tile = 1; tile <= kLongestTile; ++tile) {
    const GlgaParts parts =
        glga_parts({heads, n, n}, p.options, {static_cast<int>(kLongestTile), tile});
    most = std::max(most, parts.count * parts.rows);
  }
  parts_ = Tensor::empty({heads, most, d}, sums, device_);
  const std::int64_t splits = std::clamp<std::int64_t>(n / kStateChunk, 1, kMostSplits);
  state_parts = Tensor::empty({1, heads, splits, d, d}, sums, device_);
  state_blocks = splits * blocks(d, 128);
  state_args = {rows_of(k_), rows_of(v_), state_parts.data(),       1 / static_cast<double>(n), n,
                heads,       splits,      (n + splits - 1) / splits};

  args.q = rows_of(q_);
  args.k = rows_of(k_);
  args.v = rows_of(v_);
  args.out = rows_of(out);
  args.local = rows_of(local_);
  args.d_local = rows_of(local_grad);
  args.d_global = rows_of(global_grad);
  args.dq = rows_of(dq);
  args.dk = rows_of(dk);
  args.dv = rows_of(dv);
  if (p.call.gates != GlgaGateKind::kNone)
    args.gates = {gates_.data(), 0, 2 * heads * width, heads * width, width};
  args.lse = lse_.data();
  args.delta = delta.data();
  args.state = state_.data();
  args.d_state = d_state_.data();
  args.d_gates = p.call.gates != GlgaGateKind::kNone ? d_gates_.data() : nullptr;
  args.d_weights = p.options.normed ? d_weights_.data() : nullptr;
  args.ranges = static_cast<const int*>(ranges_.data());
  args.scale = 1 / std::sqrt(static_cast<double>(d));
  args.eps = 1e-6;
  args.queries = args.keys = n;
  args.heads = heads;
  args.radius = p.options.radius;
  device_->synchronize({});
}

args::Glga GlgaOperands::with_parts(const GlgaParts& parts) const {
  args::Glga out_args = args;
  out_args.parts = parts_.data();
  out_args.chunk = parts.chunk;
  out_args.part_rows = parts.rows;
  return out_args;
}

}  // namespace eflow::detail
