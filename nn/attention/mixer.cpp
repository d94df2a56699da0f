#include "eflow/nn/attention/mixer.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/attention/glga.hpp"
#include "eflow/nn/attention/sana_attention.hpp"
#include "eflow/nn/attention/sequence_attention.hpp"
#include "eflow/nn/attention/sla_attention.hpp"
#include "eflow/nn/attention/token_layout.hpp"
#include "eflow/nn/attention/vsa_attention.hpp"

namespace eflow::nn {
namespace {

/// Softmax over all tokens.
class SoftmaxMixer : public Mixer {
 public:
  SoftmaxMixer(const Scope& scope, std::int64_t width, int heads)
      : Mixer(scope), width_(width), heads_(heads) {}

  [[nodiscard]] Tensor operator()(const MixInputs& in) const override {
    return reshape(softmax_(in.rotated(in.q), in.rotated(in.k), in.v), in.x.shape());
  }
  void prepare(int, bool gradients, std::int64_t) const override {
    const Shape head{1, 1, heads_, width_ / heads_};
    softmax_.prepare(Tensor::empty(head, scope().compute(), scope().device()), gradients);
  }

 protected:
  [[nodiscard]] Tensor of_part(const MixInputs& in, const SequencePart& part) const override {
    return reshape(softmax_of_part(in.rotated(in.q), in.rotated(in.k), in.v, part, softmax_),
                   in.x.shape());
  }
  [[nodiscard]] Tensor chunk(const ChunkInputs& in, const Tensor& x, const ChunkMemory& before,
                             std::int64_t) const override {
    return reshape(chunk_attention(in, before, softmax_options()), x.shape());
  }
  [[nodiscard]] ChunkMemory remember(const ChunkMemory& before, const ChunkInputs& in,
                                     std::int64_t) const override {
    return remembered(before, in.k, in.v, softmax_options());
  }

 private:
  std::int64_t width_;
  int heads_;
  SoftmaxAttention softmax_;
};

}  // namespace

Tensor MixInputs::rotated(const Tensor& t) const {
  return is_rotated ? t : layout.rope(t, static_cast<int>(t.size(2)));
}

void Mixer::prepare(int, bool, std::int64_t) const {}

Tensor Mixer::chunk(const ChunkInputs&, const Tensor&, const ChunkMemory&, std::int64_t) const {
  std::string known;
  for (std::size_t i = 0; i < kAttentionNames.size(); ++i) {
    if (can_be_causal(static_cast<AttentionKind>(i)))
      known += str(known.empty() ? "" : ", ", kAttentionNames[i]);
  }
  throw InvalidArgument(
      str("[mixer] this kind of attention has no chunk-causal form; use one of ", known));
}

Tensor Mixer::of_part(const MixInputs&, const SequencePart&) const {
  std::string known;
  for (std::size_t i = 0; i < kAttentionNames.size(); ++i) {
    if (can_be_divided(static_cast<AttentionKind>(i)))
      known += str(known.empty() ? "" : ", ", kAttentionNames[i]);
  }
  throw InvalidArgument(
      str("[mixer] the tokens of this kind of attention cannot be divided over ranks; use one of ",
          known));
}

ChunkMemory Mixer::remember(const ChunkMemory& before, const ChunkInputs&, std::int64_t) const {
  return before;
}

Tensor Mixer::mix(const MixInputs& in) const {
  if (in.layout.part) return of_part(in, *in.layout.part);
  if (in.layout.stream) return over_stream(in);
  return in.layout.chunks.empty() ? (*this)(in) : over_chunks(in);
}

Tensor Mixer::over_stream(const MixInputs& in) const {
  LayerStream& stream = *in.layout.stream;
  const ChunkInputs all{in.rotated(in.q), in.rotated(in.k), in.v, {}, {}, {}};
  const Tensor y = chunk(all, in.x, stream.memory, in.layout.radius);
  if (stream.remember) stream.memory = remember(stream.memory, all, in.layout.radius);
  return y;
}

// The first half of the batch is noisy, the second half the same clips without noise. A chunk of
// either half attends to itself and to the earlier chunks of the clean half.
Tensor Mixer::over_chunks(const MixInputs& in) const {
  const std::int64_t clips = in.x.size(0) / 2, radius = in.layout.radius;
  const Tensor q = in.rotated(in.q), k = in.rotated(in.k);
  ChunkMemory before;
  std::vector<Tensor> noisy, clean;
  std::int64_t begin = 0;
  for (const std::int64_t tokens : in.layout.chunks) {
    const auto part = [&](const Tensor& t, std::int64_t half) {
      return narrow(narrow(t, 0, half * clips, clips), 1, begin, tokens);
    };
    const auto inputs = [&](std::int64_t half) {
      return ChunkInputs{part(q, half), part(k, half), part(in.v, half), {}, {}, {}};
    };
    const ChunkInputs clean_inputs = inputs(1);
    noisy.push_back(chunk(inputs(0), part(in.x, 0), before, radius));
    clean.push_back(chunk(clean_inputs, part(in.x, 1), before, radius));
    before = remember(before, clean_inputs, radius);
    begin += tokens;
  }
  return concat({concat(noisy, 1), concat(clean, 1)}, 0);
}

std::unique_ptr<Mixer> make_mixer(const Scope& scope, std::int64_t width, int heads,
                                  const AttentionOptions& options) {
  switch (options.kind) {
    case AttentionKind::kSoftmax:
      return std::make_unique<SoftmaxMixer>(scope, width, heads);
    case AttentionKind::kSana:
      return std::make_unique<SanaAttention>(scope);
    case AttentionKind::kSla:
      return std::make_unique<SlaAttention>(scope, width, heads, options);
    case AttentionKind::kVsa:
      return std::make_unique<VsaAttention>(scope, width, options);
    case AttentionKind::kWindow:
    case AttentionKind::kLinear:
    case AttentionKind::kSum:
    case AttentionKind::kGated:
      return std::make_unique<Glga>(scope, width, heads, options);
  }
  throw InvalidArgument(str("[mixer] unknown attention kind ", static_cast<int>(options.kind)));
}

}  // namespace eflow::nn
