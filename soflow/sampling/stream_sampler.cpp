#include "eflow/soflow/sampling/stream_sampler.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"

namespace eflow::soflow {
namespace {

/// Remembers the chunks that the given frames fill. Throws InvalidArgument unless they end where a
/// chunk does.
void remember_given(nn::ClipStream* stream, const Tensor& given) {
  while (stream->first_frame() < given.size(2)) {
    const std::int64_t begin = stream->first_frame();
    const std::int64_t frames = stream->done() ? 0 : stream->next_shape(given.size(0))[2];
    if (frames == 0 || begin + frames > given.size(2)) {
      throw InvalidArgument(str(
          "[sample_stream] expected given frames that end where a chunk of "
          "the clip does, as after ",
          begin, frames > 0 ? str(" or ", begin + frames) : "", " frames; found ", given.size(2)));
    }
    stream->remember(contiguous(narrow(given, 2, begin, frames)));
  }
}

/// Calls make(network, noise, chunk) for each chunk of x1 behind the given frames, and concatenates
/// them and the results over frames. Returns nullopt as soon as a call does.
template <class Make>
std::optional<Tensor> by_chunks(const nn::VideoDiT& model, const Tensor& x1,
                                const nn::Condition& condition, const Tensor& given,
                                const Make& make) {
  nn::ClipStream stream(model, condition, x1.size(2));
  const Network network = [&](const Tensor& x, const Tensor& t, const Tensor& s,
                              const nn::Condition&) { return stream(x, t, s); };
  std::vector<Tensor> chunks;
  if (given.defined()) {
    remember_given(&stream, given);
    chunks.push_back(given);
  }
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

std::int64_t chunks_to_sample(const nn::DiTConfig& model, std::int64_t frames,
                              std::int64_t given_frames) {
  std::int64_t count = 0, end = 0;
  for (const std::int64_t length : nn::chunk_lengths(frames / model.patch.t, model.chunk_frames)) {
    end += length * model.patch.t;
    count += end > given_frames ? 1 : 0;
  }
  return count;
}

std::optional<Tensor> sample_stream(const nn::VideoDiT& model, const Tensor& x1,
                                    const std::vector<std::int64_t>& ids,
                                    const nn::Condition& condition, const SampleOptions& options,
                                    const Tensor& given) {
  const NoGrad off;
  const std::int64_t given_frames = given.defined() ? given.size(2) : 0;
  const auto chunks = static_cast<int>(chunks_to_sample(model.config(), x1.size(2), given_frames));
  int finished = 0;
  return by_chunks(model, x1, condition, given,
                   [&](const Network& network, const Tensor& noise, std::int64_t chunk) {
                     SampleOptions chunk_options = options;
                     chunk_options.seed =
                         options.seed + 1'000'003 * static_cast<std::uint64_t>(chunk);
                     const int before = finished++ * options.steps;
                     chunk_options.progress = [&](int done, int steps) {
                       return !options.progress || options.progress(before + done, chunks * steps);
                     };
                     return sample(network, noise, ids, condition, chunk_options);
                   });
}

RollOut simulated_stream(const nn::VideoDiT& model, const OnPolicyOptions& options) {
  return [&model, options](const Tensor& x1, const RandomKey& choice, const nn::Condition& c) {
    return *by_chunks(model, x1, c, {},
                      [&](const Network& network, const Tensor& noise, std::int64_t) {
                        return std::optional(simulated_rollout(network, options)(noise, choice, c));
                      });
  };
}

}  // namespace eflow::soflow
