#pragma once
// Mixer: how the tokens of a block see each other. Self-attention makes q, k and v, a mixer joins
// them, and which mixer that is decides the kind of attention.

#include <memory>

#include "eflow/nn/attention_options.hpp"
#include "eflow/nn/module.hpp"
#include "eflow/nn/token_places.hpp"

namespace eflow::nn {

struct MixInputs {
  Tensor q, k, v;  ///< [B, N, H, d]; q and k normed, not yet turned by their places
  Tensor x;        ///< [B, N, D], what they were made of
  const TokenPlaces& places;

  /// q or k turned by the tokens' places.
  [[nodiscard]] Tensor turned(const Tensor& t) const {
    return places.rope(t, static_cast<int>(t.size(2)));
  }
};

class Mixer : public Module {
 public:
  /// -> [B, N, D]
  [[nodiscard]] virtual Tensor operator()(const MixInputs& in) const = 0;
  /// What `in.places` asks for: a pass over all tokens, over chunks, or over one with its memory.
  [[nodiscard]] Tensor mix(const MixInputs& in) const;
  /// Compiles what calls need: over all tokens of a grid, or about this share of them; `radius` of
  /// the window there, -1: the mixer's own.
  virtual void prepare(int kept_percent, bool gradients, std::int64_t radius) const;

 protected:
  using Module::Module;
  /// One chunk's part of chunk-causal attention, whose q and k are turned; x [B, n, D] -> [B, n, D].
  /// Throws InvalidArgument for kinds that have no such form.
  [[nodiscard]] virtual Tensor chunk(const ChunkInputs& in, const Tensor& x,
                                     const ChunkMemory& before, std::int64_t radius) const;
  [[nodiscard]] virtual ChunkMemory remember(const ChunkMemory& before, const ChunkInputs& in,
                                             std::int64_t radius) const;

 private:
  [[nodiscard]] Tensor over_chunks(const MixInputs& in) const;
  [[nodiscard]] Tensor over_stream(const MixInputs& in) const;
};

/// The mixer of this kind.
[[nodiscard]] std::unique_ptr<Mixer> make_mixer(const Scope& scope, std::int64_t width, int heads,
                                                const AttentionOptions& options);

}  // namespace eflow::nn
