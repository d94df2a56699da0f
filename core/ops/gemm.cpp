#include "eflow/core/ops/gemm.hpp"

#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/kernel_registry.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::detail {
namespace {

/// The leading dimensions of the three operands. Adjacent dimensions are merged if all three walk
/// them with one stride.
struct Batches {
  Shape size;
  Strides a, b, c;

  void add(std::int64_t n, std::int64_t as, std::int64_t bs, std::int64_t cs) {
    if (n == 1) return;
    const int last = size.rank() - 1;
    if (last >= 0 && a[last] == as * n && b[last] == bs * n && c[last] == cs * n) {
      size[last] *= n;
      a[last] = as;
      b[last] = bs;
      c[last] = cs;
      return;
    }
    size.push_back(n);
    a.push_back(as);
    b.push_back(bs);
    c.push_back(cs);
  }
};

/// Returns the stride of x in the dimension of c that is `from_end` from the last; 0 if broadcast.
std::int64_t batch_stride(const Tensor& x, const Tensor& c, int from_end) {
  if (from_end > x.rank() || x.size(-from_end) == 1) return 0;
  if (x.size(-from_end) != c.size(-from_end)) {
    throw ShapeError(str("[gemm] leading dimensions of ", x, " do not broadcast to those of ", c));
  }
  return x.strides()[-from_end];
}

/// Whether packed strips of A and B, and a few rows of partial sums, fit in a thread's scratch
/// memory. The constants repeat those of kernels_src/gemm/cpu.h.
bool config_fits(const jit::KernelSpec& spec, const jit::DeviceLimits& limits) {
  const auto or_else = [&](int i, std::int64_t own) {
    return spec.constants[i] == 0 ? own : std::int64_t{spec.constants[i]};
  };
  const std::int64_t chunk = or_else(0, 3072), rows = or_else(1, 192),
                     columns = or_else(2, 4224) / 4;
  constexpr std::int64_t kPartialColumns = 528, kPartialRows = 32, kKernelRows = 8, kGroup = 48;
  const std::int64_t left = limits.block_bytes - (rows + kKernelRows) * chunk;
  return left >= (columns + kGroup) * chunk &&
         left >= kPartialColumns * (chunk + kPartialRows * std::int64_t{sizeof(double)});
}

}  // namespace

jit::KernelDefinition gemm_definition() {
  return {.name = "gemm",
          .text = "eflow/kernels_src/gemm/gemm.h",
          .expression = "gemm<$t0, $t1, $c0, $c1, $c2>",
          .space = {.tunables = {{"chunk_bytes", 0, {0, 1536, 4096}},
                                 {"rows", 1, {0, 96}},
                                 {"column_bytes", 2, {0, 1536}}},
                    .fits = config_fits},
          .shared_bytes = {}};
}

namespace {

/// Launches the products of both batch dimensions, in slices that a GPU's grid can hold.
/// in, out: bytes of an element of A and B, and of C.
void launch_on_gpu(Device& device, jit::KernelSpec spec, args::Gemm g, std::size_t in,
                   std::size_t out) {
  const bool large = args::gemm_gpu_is_large(g, static_cast<long long>(in));
  const char* const name = large ? "gemm_large" : "gemm";
  spec.text = jit::text_id(name);
  const args::GemmGrid grid =
      args::gemm_gpu_grid(g, large ? args::kLargeGemmTile : args::kGemmTile);
  const long long most = device.block_shape().most_yz;
  const auto moved = [](auto* memory, std::int64_t elements, std::size_t bytes) {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(memory)>>,
                                    const std::byte, std::byte>;
    return static_cast<Byte*>(memory) + elements * static_cast<std::int64_t>(bytes);
  };
  for (long long y = 0; y < grid.y; y += std::min(most, grid.y - y)) {
    for (long long z = 0; z < grid.z; z += std::min(most, grid.z - z)) {
      args::Gemm now = g;
      now.batch[0] = std::min(most, grid.y - y);
      now.batch[1] = std::min(most, grid.z - z);
      now.a = moved(g.a, y * g.a_bs[0] + z * g.a_bs[1], in);
      now.b = moved(g.b, y * g.b_bs[0] + z * g.b_bs[1], in);
      now.c = moved(g.c, y * g.c_bs[0] + z * g.c_bs[1], out);
      if (g.aux) now.aux = moved(g.aux, y * g.c_bs[0] + z * g.c_bs[1], out);
      device.launch(name, spec, {grid.x, now.batch[0], now.batch[1]}, now);
    }
  }
}

}  // namespace

void gemm(const Tensor& a, const Tensor& b, const Tensor& c, double alpha, double beta,
          const GemmEpilogue& epilogue) {
  const bool fits = a.rank() >= 2 && b.rank() >= 2 && c.rank() >= 2 && a.size(-1) == b.size(-2) &&
                    a.size(-2) == c.size(-2) && b.size(-1) == c.size(-1) && a.rank() <= c.rank() &&
                    b.rank() <= c.rank();
  if (!fits || (c.size(-1) > 1 && c.strides()[-1] != 1)) {
    throw ShapeError(str(
        "[gemm] a is ", a, ", b is ", b, ", c is ", c,
        "; expected [..., M, K], [..., K, N] and [..., M, N] with stride 1 in the columns of c"));
  }
  const Tensor &bias = epilogue.bias, &aux = epilogue.aux;
  const auto as_c = [&](const Tensor& t) { return !t.defined() || t.dtype() == c.dtype(); };
  if (a.dtype() != b.dtype() || !as_c(bias) || !as_c(aux)) {
    throw InvalidArgument(
        str("[gemm] dtypes differ: a ", a, ", b ", b, "; c ", c, ", bias ", bias, ", aux ", aux));
  }
  const bool laid_out = aux.defined() && aux.shape() == c.shape() && aux.strides() == c.strides();
  if (aux.defined() ? !laid_out : epilogue.gelu == args::kGeluGradient) {
    throw ShapeError(
        str("[gemm] aux is ", aux, ", c is ", c, "; expected equal shapes and strides"));
  }
  if (c.count() == 0) return;
  args::Gemm g{};
  g.a = a.data();
  g.b = b.data();
  g.c = c.data();
  g.bias = bias.defined() ? bias.data() : nullptr;
  g.aux = aux.defined() ? aux.data() : nullptr;
  g.gelu = epilogue.gelu;
  g.alpha = alpha;
  g.beta = beta;
  g.m = c.size(-2);
  g.n = c.size(-1);
  g.k = a.size(-1);
  g.a_rs = a.strides()[-2];
  g.a_cs = a.strides()[-1];
  g.b_rs = b.strides()[-2];
  g.b_cs = b.strides()[-1];
  g.c_rs = c.strides()[-2];
  Batches batches;
  for (int d = c.rank(); d > 2; --d) {
    batches.add(c.size(-d), batch_stride(a, c, d), batch_stride(b, c, d), c.strides()[-d]);
  }
  // A launch takes two batch dimensions; outer ones are launched one by one.
  while (batches.size.rank() < 2) {
    batches.size.insert(0, 1);
    for (Strides* s : {&batches.a, &batches.b, &batches.c}) s->insert(0, 0);
  }
  const int outer = batches.size.rank() - 2;
  for (int i = 0; i < 2; ++i) {
    g.batch[i] = batches.size[outer + i];
    g.a_bs[i] = batches.a[outer + i];
    g.b_bs[i] = batches.b[outer + i];
    g.c_bs[i] = batches.c[outer + i];
  }
  jit::Runtime& runtime = c.device()->runtime();
  const bool on_gpu = !c.device()->on_host();
  jit::KernelSpec spec("gemm", {a.dtype(), c.dtype()});
  if (!on_gpu) spec = runtime.tuned("gemm", spec, {g.m, g.n, g.k, g.batch[0] * g.batch[1]});
  std::int64_t launches = 1;
  for (int d = 0; d < outer; ++d) launches *= batches.size[d];
  const std::size_t ab = size_of(a.dtype()), cb = size_of(c.dtype());
  for (std::int64_t i = 0; i < launches; ++i) {
    args::Gemm now = g;
    std::int64_t rest = i;
    for (int d = outer - 1; d >= 0; --d) {
      const auto at = static_cast<std::size_t>(rest % batches.size[d]);
      rest /= batches.size[d];
      now.a =
          static_cast<const std::byte*>(now.a) + at * static_cast<std::size_t>(batches.a[d]) * ab;
      now.b =
          static_cast<const std::byte*>(now.b) + at * static_cast<std::size_t>(batches.b[d]) * ab;
      const std::size_t c_offset = at * static_cast<std::size_t>(batches.c[d]) * cb;
      now.c = static_cast<std::byte*>(now.c) + c_offset;
      if (now.aux) now.aux = static_cast<std::byte*>(now.aux) + c_offset;
    }
    if (c.device()->multiply(now, a.dtype(), c.dtype())) continue;
    if (on_gpu) {
      launch_on_gpu(*c.device(), spec, now, ab, cb);
    } else {
      const args::GemmGrid grid = args::gemm_grid(now, runtime.pool().size());
      c.device()->launch("gemm", spec, {grid.x, grid.y, grid.z}, now);
    }
  }
}

}  // namespace eflow::detail
