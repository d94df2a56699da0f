#pragma once
// Mixer: the token-mixing part of self-attention. SelfAttention computes q, k and v; its mixer
// combines them and defines the kind of attention.

#include <memory>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/attention/attention_options.hpp"
#include "eflow/nn/layers/module.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

struct ChunkInputs;
struct ChunkMemory;
struct TokenLayout;
class SequencePart;

struct MixInputs {
  Tensor q = {}, k = {}, v = {};  ///< [B, N, H, d]; q and k normalised
  Tensor x = {};                  ///< [B, N, D], the input of q, k and v
  const TokenLayout& layout;
  bool is_rotated = false;  ///< whether RoPE was applied to q and k

  /// Returns q or k with RoPE applied.
  [[nodiscard]] Tensor rotated(const Tensor& t) const;
};

class Mixer : public Module {
 public:
  /// Attention over all N tokens -> [B, N, D].
  [[nodiscard]] virtual Tensor operator()(const MixInputs& in) const = 0;
  /// Runs the pass that in.layout describes: over all tokens, over this rank's part of them, over
  /// chunks, or over one chunk with its memory.
  [[nodiscard]] Tensor mix(const MixInputs& in) const;
  /// Compiles the kernels of later calls, with the backward pass's if `gradients`. kept_percent:
  /// share of the grid's tokens, 100 for all; radius: of the window, -1 for the mixer's own.
  virtual void prepare(int kept_percent, bool gradients, std::int64_t radius) const;

 protected:
  using Module::Module;
  /// Chunk-causal attention of one chunk, with rotated q and k; x [B, n, D] -> [B, n, D]. Throws
  /// InvalidArgument for kinds without a chunk-causal form.
  [[nodiscard]] virtual Tensor chunk(const ChunkInputs& in, const Tensor& x,
                                     const ChunkMemory& before, std::int64_t radius) const;
  /// Attention of this rank's tokens to those of all ranks of the clip -> [B, m, D]. Throws
  /// InvalidArgument for kinds that cannot be divided (can_be_divided()).
  [[nodiscard]] virtual Tensor of_part(const MixInputs& in, const SequencePart& part) const;
  /// Returns the memory after a chunk.
  [[nodiscard]] virtual ChunkMemory remember(const ChunkMemory& before, const ChunkInputs& in,
                                             std::int64_t radius) const;

 private:
  [[nodiscard]] Tensor over_chunks(const MixInputs& in) const;
  [[nodiscard]] Tensor over_stream(const MixInputs& in) const;
};

/// Builds the mixer of options.kind.
[[nodiscard]] std::unique_ptr<Mixer> make_mixer(const Scope& scope, std::int64_t width, int heads,
                                                const AttentionOptions& options);

}  // namespace eflow::nn

EFLOW_EXPORT_END
