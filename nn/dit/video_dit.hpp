#pragma once
// VideoDiT: the network F(x, t, s | c). Patches become tokens, which pass through dense encoder
// blocks, middle blocks (over the kept tokens if some are dropped) and dense decoder blocks. A skip
// connection fuses the encoder's output with the middle's. [arXiv 2603.27086, §3.2; SPRINT; Wan
// 2.1]

#include <map>
#include <memory>
#include <mutex>

#include "eflow/core/base/export.hpp"
#include "eflow/nn/dit/block.hpp"
#include "eflow/nn/dit/condition.hpp"
#include "eflow/nn/dit/config.hpp"
#include "eflow/nn/dit/head.hpp"
#include "eflow/nn/layers/embedding.hpp"
#include "eflow/nn/layers/patch.hpp"
#include "eflow/nn/layers/rope3d.hpp"
#include "eflow/nn/layers/scalar_embedder.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {
class Communicator;
}  // namespace eflow::comm

namespace eflow::nn {

class VideoDiT : public Module {
 public:
  /// Throws what check(config) throws.
  VideoDiT(const Scope& scope, const DiTConfig& config);

  /// Returns F(x, t, s | c), the mean velocity from time t to s; x + (s - t) F is the solution at
  /// s. x [B, C, T, H, W]; t, s [B] in [0, 1], 1 = noise -> [B, C, T, H, W]. t and s may also be
  /// [B, T / patch.t], with times of their own for each token frame. Clips of other sizes than
  /// config()'s are accepted if the patch divides them and the model has no position table.
  /// Differentiable. Throws ShapeError for wrong shapes, InvalidArgument for a condition that the
  /// model does not support. [Eq. 2]
  [[nodiscard]] Tensor operator()(const Tensor& x, const Tensor& t, const Tensor& s,
                                  const Condition& condition = {}) const;

  /// The part of a clip that a chunk covers.
  struct ChunkPlace {
    std::int64_t first = 0;   ///< its first token frame
    std::int64_t frames = 0;  ///< token frames of the whole clip
  };
  /// Returns F of one chunk of frames x [B, C, frames, H, W]. layers: each layer's memory of the
  /// earlier chunks, updated if it asks to remember. Used by ClipStream.
  [[nodiscard]] Tensor chunk(const Tensor& x, const Tensor& t, const Tensor& s,
                             const Condition& condition, const ChunkPlace& place,
                             std::vector<LayerStream>* layers) const;

  /// Compiles the kernels of later calls, so that none of them waits for the compiler: with the
  /// backward pass's if `gradients`, and for a middle in which about drop_ratio of the tokens are
  /// dropped. Kernels that were not prepared are compiled by the first call that needs them.
  void prepare(bool gradients, double drop_ratio = 0) const {
    prepare(config_.grid(), gradients, drop_ratio);
  }
  /// Same, for clips with this token grid.
  void prepare(const Grid3& grid, bool gradients, double drop_ratio = 0) const;

  /// From now on, each pass is one that all of these ranks make together, with the same arguments:
  /// each computes a part of the tokens of every clip (nn/attention/sequence_part.hpp), and all get
  /// the whole result. The gradients that backward() then leaves in the parameters are a rank's
  /// part of a sum over the ranks. `ranks` must outlive the model; nullptr: alone again. Passes
  /// throw comm::PeerError, and InvalidArgument for what cannot be divided.
  void divide_clips(comm::Communicator* ranks);

  [[nodiscard]] const DiTConfig& config() const { return config_; }

 private:
  using Blocks = std::vector<std::unique_ptr<DiTBlock>>;

  void add_blocks(Blocks& part, const std::string& name, std::int64_t count, std::int64_t first);
  void check_inputs(const Tensor& x, const Tensor& t, const Tensor& s,
                    const Condition& condition) const;
  void check_causal(const Tensor& x, const Condition& condition) const;
  void check_given(const Tensor& x, const Condition& condition) const;
  /// [R, D], one row per entry of t and s [B] or [B, frames]:
  /// e = E_t(t) + E_gap(t - s) + E_w(w) + E_y(y); DiTConfig::gap chooses the input of E_gap.
  [[nodiscard]] Tensor condition_vector(const Tensor& t, const Tensor& s,
                                        const Condition& condition) const;
  [[nodiscard]] Tensor labels_of(const Condition& condition, std::int64_t batch) const;
  /// The layout of all tokens of this grid.
  [[nodiscard]] TokenLayout layout_of(const Grid3& grid) const;
  /// Patches, blocks and head, given the condition vector e.
  [[nodiscard]] Tensor evaluate(const Tensor& x, const Tensor& e, const TokenLayout& layout,
                                const Condition& condition,
                                std::vector<LayerStream>* layers = nullptr) const;
  /// A pass over whole clips.
  [[nodiscard]] Tensor run_whole(const Tensor& x, const Tensor& t, const Tensor& s,
                                 const Condition& condition) const;
  /// evaluate() on the ranks that divide_clips() named.
  [[nodiscard]] Tensor evaluate_part(const Tensor& x, const Tensor& e, const Grid3& grid,
                                     const Condition& condition) const;
  /// The same with some frames given (Condition::given).
  [[nodiscard]] Tensor run_given(const Tensor& x, const Tensor& t, const Tensor& s,
                                 const Condition& condition) const;
  /// A chunk-causal pass over noisy clips x and the clean clips of the condition; returns the noisy
  /// half.
  [[nodiscard]] Tensor run_causal(const Tensor& x, const Tensor& t, const Tensor& s,
                                  const Condition& condition) const;
  /// Gives the blocks the context, or its memory.
  void add_context(const Condition& condition, BlockInputs* in) const;
  /// in.context_keys: of the network's first block, like `layers`.
  [[nodiscard]] Tensor run(const Blocks& part, Tensor x, BlockInputs in,
                           std::vector<LayerStream>* layers = nullptr) const;
  /// The middle blocks over all or the kept tokens; on the weak path, [MASK] instead.
  [[nodiscard]] Tensor run_middle(const Tensor& encoded, const BlockInputs& dense,
                                  const Condition& condition,
                                  std::vector<LayerStream>* layers) const;
  /// Converts the head's prediction to F (DiTConfig::prediction).
  [[nodiscard]] Tensor to_velocity(const Tensor& prediction, const Tensor& x,
                                   const Tensor& t) const;

  DiTConfig config_;
  mutable std::mutex rope_mutex_;
  mutable std::map<Grid3, RopeTables> rope_;  ///< cache by grid, guarded by rope_mutex_
  PatchEmbed patch_;
  Tensor positions_;  ///< [N, D]
  ScalarEmbedder time_;
  std::unique_ptr<ScalarEmbedder> gap_, guidance_;
  std::unique_ptr<Embedding> classes_;
  std::unique_ptr<Linear> context_in_, context_out_;
  SharedModulation modulation_;
  Blocks encoder_, middle_, decoder_;
  Tensor mask_;  ///< [MASK], [D], in place of dropped tokens; not trained
  std::unique_ptr<Linear> fusion_;
  DiTHead head_;
  comm::Communicator* clip_ranks_ = nullptr;  ///< that divide each clip; nullptr: not divided
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
