#include "eflow/nn/mixer.hpp"

#include "eflow/nn/glga.hpp"
#include "eflow/nn/sana_attention.hpp"
#include "eflow/nn/sla_attention.hpp"
#include "eflow/nn/vsa_attention.hpp"

namespace eflow::nn {
namespace {

/// Softmax over all tokens.
class SoftmaxMixer : public Mixer {
 public:
  SoftmaxMixer(const Scope& scope, std::int64_t width, int heads)
      : Mixer(scope), width_(width), heads_(heads) {}

  [[nodiscard]] Tensor operator()(const MixInputs& in) const override {
    return reshape(softmax_(in.turned(in.q), in.turned(in.k), in.v), in.x.shape());
  }
  void prepare(int, bool gradients, std::int64_t) const override {
    const Shape head{1, 1, heads_, width_ / heads_};
    softmax_.prepare(Tensor::empty(head, scope().dtype(), scope().device()), gradients);
  }

 private:
  std::int64_t width_;
  int heads_;
  SoftmaxAttention softmax_;
};

}  // namespace

void Mixer::prepare(int, bool, std::int64_t) const {}

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
    default:
      return std::make_unique<Glga>(scope, width, heads, options);
  }
}

}  // namespace eflow::nn
