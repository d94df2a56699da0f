#include "eflow/trainer/weights/wan_names.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"

namespace eflow::trainer {
namespace {

/// A row of the tables below: ours, diffusers', the original's. Several names are joined by '|'.
struct Row {
  const char* ours;
  std::array<const char*, 2> theirs;
};

/// Linear layers and affine norms: each row stands for its weight and its bias.
constexpr Row kShared[] = {
    {"time.in", {"condition_embedder.time_embedder.linear_1", "time_embedding.0"}},
    {"time.out", {"condition_embedder.time_embedder.linear_2", "time_embedding.2"}},
    {"modulation.proj", {"condition_embedder.time_proj", "time_projection.1"}},
    {"context.in", {"condition_embedder.text_embedder.linear_1", "text_embedding.0"}},
    {"context.out", {"condition_embedder.text_embedder.linear_2", "text_embedding.2"}},
    {"patch.proj", {"patch_embedding", "patch_embedding"}},
    {"head.proj", {"proj_out", "head.head"}},
};
constexpr Row kGap[] = {
    {"gap.in", {"condition_embedder.delta_embedder.linear_1", ""}},
    {"gap.out", {"condition_embedder.delta_embedder.linear_2", ""}},
};
constexpr Row kBlock[] = {
    {"attention.qkv", {"attn1.to_q|attn1.to_k|attn1.to_v", "self_attn.q|self_attn.k|self_attn.v"}},
    {"attention.out", {"attn1.to_out.0", "self_attn.o"}},
    {"cross_norm", {"norm2", "norm3"}},  // the original's norm3 is the second
    {"cross_attention.q", {"attn2.to_q", "cross_attn.q"}},
    {"cross_attention.kv", {"attn2.to_k|attn2.to_v", "cross_attn.k|cross_attn.v"}},
    {"cross_attention.out", {"attn2.to_out.0", "cross_attn.o"}},
    {"feed_forward.up", {"ffn.net.0.proj", "ffn.0"}},
    {"feed_forward.down", {"ffn.net.2", "ffn.2"}},
};
/// Norms without a bias.
constexpr Row kBlockNorms[] = {
    {"attention.q_norm", {"attn1.norm_q", "self_attn.norm_q"}},
    {"attention.k_norm", {"attn1.norm_k", "self_attn.norm_k"}},
    {"cross_attention.q_norm", {"attn2.norm_q", "cross_attn.norm_q"}},
    {"cross_attention.k_norm", {"attn2.norm_k", "cross_attn.norm_k"}},
};
/// Tables of modulation, whose names stand for themselves.
constexpr Row kHeadTable = {"head.modulation.table", {"scale_shift_table", "head.modulation"}};
constexpr Row kBlockTable = {"modulation.table", {"scale_shift_table", "modulation"}};

class Names {
 public:
  explicit Names(WanNaming naming) : naming_(static_cast<std::size_t>(naming)) {}

  void add(const Row& row, const std::string& ours, const std::string& theirs,
           const std::string& suffix) {
    WanName name{ours + row.ours + suffix, {}};
    const std::string parts = row.theirs[naming_];
    for (std::size_t begin = 0; begin <= parts.size();) {
      const std::size_t end = std::min(parts.find('|', begin), parts.size());
      name.theirs.push_back(theirs + parts.substr(begin, end - begin) + suffix);
      begin = end + 1;
    }
    all_.push_back(std::move(name));
  }
  template <class Rows>
  void add_layers(const Rows& rows, const std::string& ours = "", const std::string& theirs = "") {
    for (const Row& row : rows) {
      for (const char* suffix : {".weight", ".bias"}) add(row, ours, theirs, suffix);
    }
  }
  [[nodiscard]] std::vector<WanName> all() && { return std::move(all_); }

 private:
  std::size_t naming_;
  std::vector<WanName> all_;
};

}  // namespace

std::string_view name_of(WanNaming naming) {
  return enum_name(naming, kWanNamingNames);
}

std::string block_name(const nn::DiTConfig& c, std::int64_t n) {
  if (n < c.encoder) return str("encoder.", n);
  n -= c.encoder;
  return n < c.middle ? str("middle.", n) : str("decoder.", n - c.middle);
}

std::vector<WanName> wan_names(const nn::DiTConfig& config, WanNaming naming) {
  Names names(naming);
  names.add_layers(kShared);
  if (config.gap != nn::GapInput::kNone) names.add_layers(kGap);
  names.add(kHeadTable, "", "", "");
  for (std::int64_t n = 0; n < config.blocks(); ++n) {
    const std::string ours = block_name(config, n) + ".", theirs = str("blocks.", n, ".");
    names.add_layers(kBlock, ours, theirs);
    for (const Row& row : kBlockNorms) names.add(row, ours, theirs, ".weight");
    names.add(kBlockTable, ours, theirs, "");
  }
  return std::move(names).all();
}

}  // namespace eflow::trainer
