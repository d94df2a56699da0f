#include "eflow/soflow/sampling/stream_sampler.hpp"

#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"

namespace eflow::soflow {
namespace {

/// Calls make(network, noise, chunk) for each chunk of x1 and concatenates the results over frames.
/// Returns nullopt as soon as a call does.
template <class Make>
std::optional<Tensor> by_chunks(const nn::VideoDiT& model, const Tensor& x1,
                                const nn::Condition& condition, const Make& make) {
  nn::ClipStream stream(model, condition);
  const Network network = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                              const nn::Condition&) { return stream(x, t, s); };
  std::vector<Tensor> chunks;
  while (!stream.done()) {
    const std::int64_t frames = stream.next_shape(x1.size(0))[2];
    const Tensor noise = contiguous(narrow(x1, 2, stream.first_frame(), frames));
    const std::optional<Tensor> x = make(network, noise, stream.chunk());
    if (!x) return std::nullopt;
    chunks.push_back(*x);
    stream.remember(*x);
  }
  return concat(chunks, 2);
}

}  // namespace

std::optional<Tensor> sample_stream(const nn::VideoDiT& model, const Tensor& x1,
                                    const std::vector<std::int64_t>& ids,
                                    const nn::Condition& condition, const SampleOptions& options) {
  const NoGrad off;
  const auto chunks = static_cast<int>(
      nn::chunk_lengths(model.config().grid().t, model.config().chunk_frames).size());
  return by_chunks(
      model, x1, condition, [&](const Network& network, const Tensor& noise, std::int64_t chunk) {
        SampleOptions chunk_options = options;
        chunk_options.seed = options.seed + 1'000'003 * static_cast<std::uint64_t>(chunk);
        chunk_options.progress = [&](int done, int steps) {
          const int before = static_cast<int>(chunk) * steps;
          return !options.progress || options.progress(before + done, chunks * steps);
        };
        return sample(network, noise, ids, condition, chunk_options);
      });
}

RollOut simulated_stream(const nn::VideoDiT& model, const OnPolicyOptions& options) {
  return [&model, options](const Tensor& x1, const RandomKey& choice, const nn::Condition& c) {
    return *by_chunks(model, x1, c, [&](const Network& network, const Tensor& noise, std::int64_t) {
      return std::optional(simulated_rollout(network, options)(noise, choice, c));
    });
  };
}

}  // namespace eflow::soflow
