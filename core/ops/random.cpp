// Counter-based random tensors. A row depends only on the key and its sample id, not on the batch,
// its order, the rank or the device.

#include "eflow/kernels_src/args/random.h"

#include <algorithm>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/launch.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/registry.hpp"
#include "eflow/kernels_src/philox.h"

namespace eflow {
namespace {

/// Attributes of the op.
struct Draw {
  RandomKey key;
  Shape shape;
  DType dtype = DType::kF32;
};

/// Inputs: the sample ids, i64 [B].
std::vector<TensorSpec> infer_random(std::span<const Tensor> x, const Draw& draw) {
  if (!is_floating(draw.dtype)) {
    throw InvalidArgument(str("[random] dtype is ", draw.dtype, "; expected f32, f64 or bf16"));
  }
  if (draw.shape.rank() < 1 || draw.shape[0] != x[0].count()) {
    throw ShapeError(str("[random] ", x[0].count(), " sample ids for shape ", draw.shape,
                         "; expected one per row"));
  }
  return {{draw.shape, draw.dtype}};
}

template <bool kNormal>
void forward_random(Call<Draw>& call) {
  const Draw& draw = call.attrs;
  const Tensor& y = call.outputs[0];
  if (y.count() == 0) return;
  const eflow_text::StreamKey key =
      eflow_text::stream_key(draw.key.seed, draw.key.purpose, draw.key.step);
  args::Random a{};
  a.y = y.data();
  a.sample_ids = static_cast<const long long*>(call.inputs[0].data());
  a.count = y.count() / draw.shape[0];
  a.tiles_per_block = 64;
  a.key_low = key.low;
  a.key_high = key.high;
  const jit::Grid grid{detail::blocks(a.count, a.tiles_per_block * eflow_text::kRandomTile),
                       draw.shape[0]};
  y.device()->launch("random", jit::KernelSpec("random", {draw.dtype}, {kNormal ? 1 : 0}), grid, a);
}

template <bool kNormal>
std::vector<Sample> samples_random() {
  std::vector<Sample> out;
  for (const Shape& shape : {Shape{2, 3, 37}, Shape{3}, Shape{1, 5000}}) {
    std::vector<std::int64_t> ids;
    for (std::int64_t b = 0; b < shape[0]; ++b) ids.push_back(1000 * b + 7);
    out.push_back({str(shape), {{{shape[0]}, 0, 0, false, ids}}, [shape](const Tensors& x) {
                     const RandomKey key{1, 2, 3};
                     const auto samples = x[0].to_vector<std::int64_t>();
                     return Tensors{
                         kNormal ? random_normal(shape, key, samples, DType::kF32, x[0].device())
                                 : random_uniform(shape, key, samples, DType::kF32, x[0].device())};
                   }});
  }
  return out;
}

constexpr OpDef<Draw> kNormal{"random_normal", infer_random, forward_random<true>,
                              kNotDifferentiable<Draw>, samples_random<true>};
constexpr OpDef<Draw> kUniform{"random_uniform", infer_random, forward_random<false>,
                               kNotDifferentiable<Draw>, samples_random<false>};

/// Checks the ids and copies them to the device.
Tensor ids_tensor(const std::vector<std::int64_t>& ids, const DevicePtr& device) {
  for (const std::int64_t id : ids) {
    if (id < 0) throw InvalidArgument(str("[random] sample id ", id, " is negative"));
  }
  return Tensor::from(ids, {static_cast<std::int64_t>(ids.size())}, device);
}

}  // namespace

Tensor random_normal(const Shape& shape, const RandomKey& key,
                     const std::vector<std::int64_t>& sample_ids, DType dtype,
                     const DevicePtr& device) {
  return apply(kNormal, {ids_tensor(sample_ids, device)}, Draw{key, shape, dtype})[0];
}

Tensor random_uniform(const Shape& shape, const RandomKey& key,
                      const std::vector<std::int64_t>& sample_ids, DType dtype,
                      const DevicePtr& device) {
  return apply(kUniform, {ids_tensor(sample_ids, device)}, Draw{key, shape, dtype})[0];
}

namespace {

/// Evaluates at(key, sample, element) for all elements.
template <class At>
std::vector<double> values_on_host(const Shape& shape, const RandomKey& random,
                                   const std::vector<std::int64_t>& ids, At&& at) {
  if (shape.rank() < 1 || shape[0] != static_cast<std::int64_t>(ids.size()))
    throw ShapeError(
        str("[random] ", ids.size(), " sample ids for shape ", shape, "; expected one per row"));
  const eflow_text::StreamKey key =
      eflow_text::stream_key(random.seed, random.purpose, random.step);
  std::vector<double> out(static_cast<std::size_t>(element_count(shape)));
  const std::size_t row = ids.empty() ? 0 : out.size() / ids.size();
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<double>(at(key, static_cast<std::uint64_t>(ids[i / row]), i % row));
  return out;
}

}  // namespace

std::vector<double> uniform_values(const Shape& shape, const RandomKey& key,
                                   const std::vector<std::int64_t>& sample_ids) {
  return values_on_host(shape, key, sample_ids, eflow_text::uniform_at);
}

std::vector<double> normal_values(const Shape& shape, const RandomKey& key,
                                  const std::vector<std::int64_t>& sample_ids) {
  return values_on_host(shape, key, sample_ids, eflow_text::normal_at);
}

std::vector<OpEntry> detail::random_ops() {
  return {entry_of(kNormal), entry_of(kUniform)};
}

}  // namespace eflow
