#pragma once
// The names of a Wan-style transformer's weights here and elsewhere. All programs store linear
// layers as [out, in], and no row or column moves; only q, k and v are joined here.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/nn/dit/config.hpp"

namespace eflow::trainer {

/// Who named the weights.
enum class WanNaming {
  kDiffusers,  ///< diffusers' WanTransformer3DModel and AnyFlow's classes
  kOriginal,   ///< Wan's own files, and ComfyUI's with a prefix
};
/// Names by enumerator value.
inline constexpr std::array<std::string_view, 2> kWanNamingNames = {"diffusers", "original"};
[[nodiscard]] std::string_view name_of(WanNaming naming);

/// One tensor of a VideoDiT and the tensors elsewhere whose rows, in this order, it consists of.
struct WanName {
  std::string ours = {};
  std::vector<std::string> theirs = {};
};

/// Every tensor of a model whose blocks are Wan's: text, no long residual, softmax, plain
/// feed-forward. With config.gap, the names of AnyFlow, which only kDiffusers has.
[[nodiscard]] std::vector<WanName> wan_names(const nn::DiTConfig& config, WanNaming naming);

/// The name of block `n` of the whole network here: "encoder.0" ... "decoder.2".
[[nodiscard]] std::string block_name(const nn::DiTConfig& config, std::int64_t n);

}  // namespace eflow::trainer
