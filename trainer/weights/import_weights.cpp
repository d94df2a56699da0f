#include "eflow/trainer/weights/import_weights.hpp"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/named_enum.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/weights/wan_names.hpp"
#include "eflow/trainer/weights/weight_files.hpp"

namespace eflow::trainer {
namespace {

using nlohmann::json;

constexpr std::int64_t kTextLength = 512;
/// Per channel, of the latents of Wan 2.1's VAE: latents_mean and latents_std of its config.json.
constexpr std::array kLatentMean = {-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,
                                    -0.1517, 1.5508,  0.4134,  -0.0715, 0.5517,  -0.3632,
                                    -0.1922, -0.9497, 0.2503,  -0.2921};
constexpr std::array kLatentStd = {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743,
                                   3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160};

/// The description next to the weights; what it does not say has the defaults of the classes.
class Description {
 public:
  Description(const std::string& text, std::string where) : where_(std::move(where)) {
    if (text.empty()) return;
    try {
      json_ = json::parse(text);
    } catch (const json::exception& error) {
      throw CorruptData(str(where_, ": ", error.what()));
    }
  }
  /// Throws InvalidArgument for values that a network here has no option for.
  void check_computable() const {
    require("cross_attn_norm", true);
    require("eps", 1e-6);
    require("freq_dim", 256);
    if (const json* norm = find("qk_norm"); norm && norm->is_string())
      require("qk_norm", "rms_norm_across_heads");
    require("model_type", "t2v");
  }

  [[nodiscard]] const json* find(const char* key) const {
    const bool has = json_.is_object() && json_.contains(key) && !json_.at(key).is_null();
    return has ? &json_.at(key) : nullptr;
  }
  template <class T>
  [[nodiscard]] T get(const char* key, const T& otherwise) const {
    const json* value = find(key);
    if (!value) return otherwise;
    try {
      return value->get<T>();
    } catch (const json::exception& error) {
      throw CorruptData(str(where_, ": ", key, ": ", error.what()));
    }
  }

 private:
  void require(const char* key, const json& expected) const {
    const json* value = find(key);
    if (!value || *value == expected) return;
    throw InvalidArgument(str(where_, ": ", key, ": expected ", expected.dump(),
                              ", the only value supported; found ", value->dump()));
  }

  std::string where_;
  json json_;
};

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    text += str(i == 0 ? "" : ", ", names[i]);
  return names.size() > kMost ? str(text, " and ", names.size() - kMost, " more") : text;
}

class Import {
 public:
  explicit Import(const ImportRequest& request)
      : request_(request),
        files_(request.weights),
        description_(files_.config(), files_.path().string() + ": config.json"),
        naming_(naming_of()) {
    description_.check_computable();
  }

  ImportedModel run() {
    refuse_other_models();
    describe_model();
    const nn::DiTConfig network = dit_config(model_.config, model_.data.clips);
    read_weights(network);
    if (request_.from == WeightsOf::kAnyFlow) fold_gate();
    return std::move(model_);
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw InvalidArgument(str(files_.path().string(), ": ", parts...));
  }

  [[nodiscard]] WanNaming naming_of() const {
    if (files_.contains("blocks.0.attn1.to_q.weight")) return WanNaming::kDiffusers;
    if (files_.contains("blocks.0.self_attn.q.weight")) return WanNaming::kOriginal;
    fail(
        "expected the weights of a Wan transformer, with blocks.0.attn1.to_q.weight (diffusers) or "
        "blocks.0.self_attn.q.weight (Wan's own names); found ",
        list_of(files_.names()));
  }

  void refuse_other_models() const {
    for (const std::string& name : files_.names()) {
      for (const char* part : {"image_embedder", "img_emb", "add_k_proj", "k_img"}) {
        if (name.find(part) != std::string::npos)
          fail("expected text-to-video weights, found ", name,
               " of an image-to-video model, whose image encoder has no counterpart here");
      }
    }
    const bool delta = files_.contains("condition_embedder.delta_embedder.linear_1.weight");
    if (delta && request_.from == WeightsOf::kWan21)
      fail("expected weights without a delta_embedder; these are AnyFlow's: use --from anyflow");
    if (!delta && request_.from == WeightsOf::kAnyFlow)
      fail(
          "expected a condition_embedder.delta_embedder; these are not AnyFlow's: use --from "
          "wan2.1");
  }

  /// Sizes from the weights' shapes; heads and the kind of gap from the description.
  void describe_model() {
    const bool diffusers = naming_ == WanNaming::kDiffusers;
    const Shape patch = files_.shape("patch_embedding.weight");
    if (patch.rank() != 5) fail("patch_embedding.weight: expected 5 axes, found ", patch);
    const std::string up = diffusers ? "blocks.0.ffn.net.0.proj.weight" : "blocks.0.ffn.0.weight";
    const std::string text =
        diffusers ? "condition_embedder.text_embedder.linear_1.weight" : "text_embedding.0.weight";
    model_.data.clips = {.channels = patch[1],
                         .frames = request_.frames,
                         .height = request_.height,
                         .width = request_.width,
                         .classes = 0,
                         .context_dim = files_.shape(text)[1]};
    describe_data();
    Config& config = model_.config;
    ModelConfig& m = config.model;
    m.preset_applied = true;
    m.condition = ModelCondition::kText;
    m.dim = patch[0];
    m.heads = heads(patch[0]);
    m.patch = {patch[2], patch[3], patch[4]};
    m.mlp_ratio = static_cast<double>(files_.shape(up)[0]) / static_cast<double>(m.dim);
    std::int64_t blocks = 0;
    while (files_.contains(
        str("blocks.", blocks, diffusers ? ".attn1.to_q.weight" : ".self_attn.q.weight")))
      ++blocks;
    // A tenth on either side, as in the presets: what token dropping and the weak path need later.
    m.encoder = m.decoder = blocks / 10;
    m.middle = blocks - m.encoder - m.decoder;
    m.attention = nn::AttentionKind::kSoftmax;
    m.prediction = nn::Prediction::kVelocity;
    m.position_table = m.long_residual = false;
    const Description scheduler(files_.scheduler(), files_.path().string() + ": scheduler");
    m.time_scale = scheduler.get<double>("num_train_timesteps", 1000);
    m.gap = nn::GapInput::kNone;
    config.objective.fm_share = 1;
    config.sample.shift = scheduler.get<double>("shift", 5);
    config.sample.sampler = soflow::Sampler::kEuler;
    config.sample.steps = 50;
    if (request_.from == WeightsOf::kAnyFlow) describe_anyflow();
  }

  /// Latents of Wan 2.1's VAE and embeddings of UMT5, padded to 512 rows of zeros.
  void describe_data() {
    DataInfo& data = model_.data;
    data.fps = 16;
    data.text = {.length = kTextLength, .encoder = "umt5-xxl"};
    model_.config.data.context_length = kTextLength;
    model_.notes.emplace_back(
        "the null condition is a text of zeros; these models use the embedding of an empty or "
        "negative prompt: eflow sample --prompts FILE --negative NAME --steer W");
    if (data.clips.channels != static_cast<std::int64_t>(kLatentMean.size())) {
      model_.notes.push_back(str("latents of ", data.clips.channels,
                                 " channels are not Wan 2.1's: their mean and std are unknown"));
      return;
    }
    data.latent = {.name = "wan2.1",
                   .mean = {kLatentMean.begin(), kLatentMean.end()},
                   .std = {kLatentStd.begin(), kLatentStd.end()}};
  }

  void describe_anyflow() {
    Config& config = model_.config;
    const auto kind = description_.get<std::string>("deltatime_type", "r");
    if (kind != "r" && kind != "t-r")
      fail("config.json: deltatime_type: expected r or t-r, found ", kind);
    config.model.gap = kind == "r" ? nn::GapInput::kEnd : nn::GapInput::kInterval;
    if (!description_.find("deltatime_type") || !description_.find("gate_value"))
      model_.notes.push_back(
          str("config.json does not say deltatime_type and gate_value: assumed r "
              "and 0.25, the released ones, where missing"));
    config.objective.kind = ObjectiveKind::kAnyFlow;
    config.sample.sampler = soflow::Sampler::kCompose;
    config.sample.steps = 4;
    if (files_.contains("far_patch_embedding.weight")) describe_chunks();
  }

  /// AnyFlow's causal class: chunks of 1, n, n, ... frames, without compressed ones.
  void describe_chunks() {
    const auto chunks = description_.get<std::vector<std::int64_t>>("chunk_partition", {});
    const auto limit = description_.get<std::int64_t>("full_chunk_limit", 0);
    bool regular = chunks.size() > 1 && chunks[0] == 1;
    for (std::size_t i = 2; regular && i < chunks.size(); ++i)
      regular = i + 1 < chunks.size() ? chunks[i] == chunks[1] : chunks[i] <= chunks[1];
    if (!regular || limit < static_cast<std::int64_t>(chunks.size())) {
      fail(
          "expected a chunk_partition of 1, n, n, ... and no compressed chunks (full_chunk_limit "
          "at "
          "least the number of chunks); found ",
          chunks.size(), " chunks and full_chunk_limit ", limit,
          "; the compressed context of old chunks has no counterpart here");
    }
    model_.config.model.chunk_frames = chunks[1];
    model_.notes.emplace_back("far_patch_embedding, for compressed chunks, is left out");
  }

  [[nodiscard]] std::int64_t heads(std::int64_t dim) {
    const auto described = description_.get<std::int64_t>(
        "num_attention_heads", description_.get<std::int64_t>("num_heads", 0));
    if (request_.heads > 0 && described > 0 && request_.heads != described)
      fail("config.json says ", described, " heads, --heads says ", request_.heads);
    const std::int64_t heads = std::max(request_.heads, described);
    if (heads > 0) return heads;
    if (dim % 128 != 0)
      fail(
          "has no config.json that says the number of heads, and heads of width 128 do not divide ",
          dim, "; use --heads");
    model_.notes.push_back(
        str("no config.json says the number of heads: assumed width 128, ", dim / 128, " heads"));
    return dim / 128;
  }

  void read_weights(const nn::DiTConfig& network) {
    std::map<std::string, Shape> shapes;
    for (const auto& info : nn::VideoDiT(nn::Scope::shapes_only(), network).parameter_info())
      shapes.emplace(info.name, info.shape);
    std::set<std::string> unknown;
    for (const std::string& name : files_.names()) unknown.insert(name);
    std::vector<std::string> missing;
    for (const WanName& name : wan_names(network, naming_)) {
      for (const std::string& theirs : name.theirs) {
        if (unknown.erase(theirs) == 0) missing.push_back(theirs);
      }
      if (missing.empty())
        model_.weights.emplace_back(name.ours, joined(name, shapes.at(name.ours)));
    }
    std::erase_if(unknown,
                  [](const std::string& name) { return name.starts_with("far_patch_embedding."); });
    if (!missing.empty()) fail("holds no ", list_of(missing));
    if (!unknown.empty())
      fail("holds weights that have no counterpart here: ",
           list_of({unknown.begin(), unknown.end()}));
  }

  /// The parts of a tensor, one below the other.
  [[nodiscard]] Tensor joined(const WanName& name, const Shape& shape) const {
    const auto parts = static_cast<std::int64_t>(name.theirs.size());
    Shape part = shape;
    part[0] = shape[0] / parts;
    std::vector<float> values;
    for (const std::string& theirs : name.theirs) {
      const Shape found = files_.shape(theirs);
      // Tables have a leading axis of 1, the patch embedding an axis for each side of a patch.
      const bool same = element_count(found) == element_count(part) &&
                        (found.rank() == part.rank() ? found == part
                         : found.rank() == 5         ? found[0] == part[0]
                                                     : found[0] == 1 && found[1] == part[0]);
      if (!same) fail(theirs, ": expected ", part, " for ", name.ours, ", found ", found);
      const std::vector<float> rows = files_.read(theirs);
      values.insert(values.end(), rows.begin(), rows.end());
    }
    return Tensor::from(values, shape);
  }

  /// AnyFlow's (1 - g) E_t + g E_gap as the sum of two embedders.
  void fold_gate() {
    const auto g = description_.get<double>("gate_value", 0.25);
    for (auto& [name, tensor] : model_.weights) {
      if (name.starts_with("time.out.")) tensor = tensor * (1 - g);
      if (name.starts_with("gap.out.")) tensor = tensor * g;
    }
  }

  const ImportRequest& request_;
  WeightFiles files_;
  Description description_;
  WanNaming naming_;
  ImportedModel model_;
};

}  // namespace

std::string_view name_of(WeightsOf from) {
  return enum_name(from, kWeightsOfNames);
}

ImportedModel import_weights(const ImportRequest& request) {
  const NoGrad off;
  return std::make_unique<Import>(request)->run();  // large for a stack, and for what g++ 12 tracks
}

}  // namespace eflow::trainer
