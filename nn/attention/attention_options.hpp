#pragma once
// The kinds of attention that a block can have, with their names and options.

#include <array>
#include <cstdint>
#include <string_view>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::nn {

enum class AttentionKind {
  kSoftmax,  ///< softmax over all tokens, without norm or gates
  kWindow,   ///< softmax over a window of the raster, normalised
  kLinear,   ///< linear attention over all tokens, normalised
  kSum,      ///< the sum of kWindow and kLinear
  kGated,    ///< kWindow and kLinear combined by learned gates: GLGA
  kSana,     ///< linear attention with ReLU features and a denominator
  kSla,      ///< softmax over the best key blocks, plus a linear branch over all tokens
  kVsa,      ///< gated softmax over tile means, plus softmax over the tokens of the best tiles
};
/// Granularity of the gates: one per token, per head or per channel.
enum class GateKind { kToken, kHead, kChannel };
/// Distance of kept tokens in a window: by their positions in the full raster, or by their order.
enum class WindowIndex { kOriginal, kCompact };

/// Names by enumerator value.
inline constexpr std::array<std::string_view, 8> kAttentionNames = {
    "softmax", "window", "linear", "sum", "glga", "sana", "sla", "vsa"};
inline constexpr std::array<std::string_view, 3> kGateNames = {"token", "head", "channel"};
inline constexpr std::array<std::string_view, 2> kWindowIndexNames = {"original", "compact"};

[[nodiscard]] std::string_view name_of(AttentionKind kind);
[[nodiscard]] std::string_view name_of(GateKind kind);
[[nodiscard]] std::string_view name_of(WindowIndex index);
/// Inverses of name_of(). Throw InvalidArgument and list the known names.
[[nodiscard]] AttentionKind attention_kind(std::string_view name);
[[nodiscard]] GateKind gate_kind(std::string_view name);
[[nodiscard]] WindowIndex window_index(std::string_view name);

/// True for the kinds that the op glga() computes: window, linear, sum and gated.
[[nodiscard]] bool is_glga(AttentionKind kind);
/// True for the kinds with a chunk-causal form (chunk_attention.hpp).
[[nodiscard]] bool can_be_causal(AttentionKind kind);
/// True for the kinds whose tokens can be divided over ranks (sequence_attention.hpp).
[[nodiscard]] bool can_be_divided(AttentionKind kind);

struct AttentionOptions {
  AttentionKind kind = AttentionKind::kGated;
  GateKind gates = GateKind::kToken;
  std::int64_t radius = 0;  ///< R, in raster positions; 0: a token attends only to itself
  std::int64_t tokens = 0;  ///< of the full raster, to derive the share of kept tokens; 0: unknown
  WindowIndex index = WindowIndex::kOriginal;
  std::int64_t block = 64;  ///< kSla, kVsa: tokens per block; for kVsa a cube number
  double block_share =
      0.2;  ///< kSla, kVsa: share of key blocks per query block, at least one block
};

}  // namespace eflow::nn

EFLOW_EXPORT_END
