#pragma once
// VideoDiT: the network F(x, t, s | c). Patches become tokens; dense encoder blocks, middle blocks
// (over kept tokens, when some are dropped) and dense decoder blocks transform them; the encoder's
// result skips to the decoder. [arXiv 2603.27086, §3.2; SPRINT; Wan 2.1]

#include <map>
#include <memory>
#include <mutex>

#include "eflow/nn/condition.hpp"
#include "eflow/nn/dit_block.hpp"
#include "eflow/nn/dit_config.hpp"
#include "eflow/nn/dit_head.hpp"
#include "eflow/nn/embedding.hpp"
#include "eflow/nn/scalar_embedder.hpp"

namespace eflow::nn {

class VideoDiT : public Module {
 public:
  /// Throws what check(config) throws.
  VideoDiT(const Scope& scope, const DiTConfig& config);

  /// F(x, t, s | c): the mean velocity from time t to s; x + (s - t) F is the solution at s.
  /// x [B, C, T, H, W]; t, s [B] in [0, 1], 1 = noise -> [B, C, T, H, W]. Clips of other lengths and
  /// sizes than config()'s are welcome where the patch divides them, but for a position table.
  /// Differentiable. Throws ShapeError, InvalidArgument.
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& t, const Tensor& s,
                                  const Condition& condition = {}) const;

  /// The same for one chunk of frames x [B, C, frames, H, W] that begins at this frame of tokens, with
  /// what every layer remembers of the chunks before: see ClipStream.
  [[nodiscard]] Tensor chunk(const Tensor& x, const Tensor& t, const Tensor& s,
                             const Condition& condition, std::int64_t first_frame,
                             std::vector<LayerStream>* layers) const;

  /// Compiles the kernels that calls will need, so that none of them waits for it: those of the backward pass too where
  /// `gradients`, and for a middle in which about `drop_ratio` of the tokens are dropped. What is not prepared is compiled
  /// by the first call that needs it.
  void prepare(bool gradients, double drop_ratio = 0) const {
    prepare(config_.grid(), gradients, drop_ratio);
  }
  /// The same for clips of this grid of tokens.
  void prepare(const Grid3& grid, bool gradients, double drop_ratio = 0) const;

  [[nodiscard]] const DiTConfig& config() const { return config_; }

 private:
  using Blocks = std::vector<std::unique_ptr<DiTBlock>>;

  void add_blocks(Blocks& part, const std::string& name, std::int64_t count, std::int64_t first);
  void check_inputs(const Tensor& x, const Tensor& t, const Tensor& s,
                    const Condition& condition) const;
  void check_causal(const Tensor& x, const Condition& condition) const;
  /// e = E_t(t) + E_gap(t - s) + E_w(w) + E_y(y)
  [[nodiscard]] Tensor condition_vector(const Tensor& t, const Tensor& s,
                                        const Condition& condition) const;
  [[nodiscard]] Tensor labels_of(const Condition& condition, std::int64_t batch) const;
  /// Where the tokens of clips of this grid stand.
  [[nodiscard]] TokenPlaces places_of(const Grid3& grid) const;
  /// Everything between the condition vector and the head: patches, blocks, residual.
  [[nodiscard]] Tensor evaluate(const Tensor& x, const Tensor& e, const TokenPlaces& places,
                                const Condition& condition,
                                std::vector<LayerStream>* layers = nullptr) const;
  /// The noisy clips of a chunk-causal pass, beside the clean ones of the condition.
  [[nodiscard]] Tensor run_causal(const Tensor& x, const Tensor& t, const Tensor& s,
                                  const Condition& condition) const;
  [[nodiscard]] Tensor run(const Blocks& part, Tensor x, BlockInputs in,
                           LayerStream* layers = nullptr) const;
  /// The middle over all tokens, over the kept ones, or [MASK] in its place.
  [[nodiscard]] Tensor run_middle(const Tensor& encoded, const BlockInputs& dense,
                                  const Condition& condition, LayerStream* layers) const;
  [[nodiscard]] Tensor to_velocity(const Tensor& prediction, const Tensor& x,
                                   const Tensor& t) const;

  DiTConfig config_;
  mutable std::mutex placing_;
  mutable std::map<Grid3, RopeTables> rope_;  ///< of the grids seen so far
  PatchEmbed patch_;
  Tensor positions_;  ///< [N, D]
  ScalarEmbedder time_;
  std::unique_ptr<ScalarEmbedder> gap_, guidance_;
  std::unique_ptr<Embedding> classes_;
  std::unique_ptr<Linear> context_in_, context_out_;
  SharedModulation modulation_;
  Blocks encoder_, middle_, decoder_;
  Tensor mask_;  ///< [D], stands where tokens were dropped; never trained
  std::unique_ptr<Linear> fusion_;
  DiTHead head_;
};

}  // namespace eflow::nn
