#pragma once
// Which attention a block has, by name, and what each kind may be told.

#include <cstdint>
#include <string_view>

namespace eflow::nn {

enum class AttentionKind {
  kSoftmax,  ///< over all tokens, neither normed nor gated
  kWindow,   ///< softmax over a window of the raster, normed
  kLinear,   ///< linear over all tokens, normed
  kSum,      ///< window and linear, added
  kGated,    ///< window and linear, joined by gates: GLGA
  kSana,     ///< linear over all tokens, of rectified q and k, with a denominator
  kSla,      ///< softmax over the best blocks of tokens, and a linear branch over all of them
  kVsa,      ///< softmax over tiles, gated, and softmax over the tokens of the best tiles
};
/// Whether a gate is one number a token, a head or a channel.
enum class GateKind { kToken, kHead, kChannel };
/// How a window counts kept tokens: by their places in the full raster, or one after the other.
enum class WindowIndex { kOriginal, kCompact };

/// "softmax", "window", "linear", "sum", "glga", "sana", "sla", "vsa".
[[nodiscard]] std::string_view name_of(AttentionKind kind);
/// "token", "head", "channel".
[[nodiscard]] std::string_view name_of(GateKind kind);
/// "original", "compact".
[[nodiscard]] std::string_view name_of(WindowIndex index);
/// Inverses of name_of. Throw InvalidArgument listing the known names.
[[nodiscard]] AttentionKind attention_kind(std::string_view name);
[[nodiscard]] GateKind gate_kind(std::string_view name);
[[nodiscard]] WindowIndex window_index(std::string_view name);

/// Of the kinds that glga() computes by itself.
[[nodiscard]] bool is_glga(AttentionKind kind);

struct AttentionOptions {
  AttentionKind kind = AttentionKind::kGated;
  GateKind gates = GateKind::kToken;
  std::int64_t radius = 0;  ///< R, in tokens of the raster; 0 sees itself
  std::int64_t tokens = 0;  ///< of the raster, to tell the share of kept ones; 0: unknown
  WindowIndex index = WindowIndex::kOriginal;
  std::int64_t block = 64;   ///< kSla, kVsa: tokens of a block; kVsa: a cube of them
  double block_share = 0.2;  ///< kSla, kVsa: blocks that a block's softmax sees, at least one
};

}  // namespace eflow::nn
