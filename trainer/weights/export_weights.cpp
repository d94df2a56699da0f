#include "eflow/trainer/weights/export_weights.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/nn/dit/clip_stream.hpp"
#include "eflow/trainer/weights/fit_weights.hpp"
#include "eflow/trainer/weights/wan_names.hpp"

namespace eflow::trainer {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kTextWidth = 4096;  // of a model without text, whose text has no effect
constexpr double kGate = 0.5;              // both embedders are then doubled, which is exact

void require(bool ok, const char* key, const std::string& expected) {
  if (ok) return;
  throw InvalidArgument(str("[export] ", key, ": expected ", expected,
                            ", as the classes of diffusers compute nothing else"));
}

void check_computable(const nn::DiTConfig& c) {
  for (std::int64_t i = 0; i < c.blocks(); ++i)
    require(c.attention_of(i) == nn::AttentionKind::kSoftmax, "model.attention", "softmax");
  require(c.feed_forward == nn::FeedForwardKind::kPlain, "model.feed_forward", "plain");
  require(c.prediction == nn::Prediction::kVelocity, "model.prediction", "velocity");
  require(!c.position_table, "model.position_table", "false");
  require(!c.long_residual || c.encoder + c.middle == 0, "model.long_residual",
          "false, or all blocks in the decoder");
  require(c.gap == nn::GapInput::kNone || c.patch.t == 1, "model.patch_t", "1 with a gap");
  require(c.chunk_frames == 0 || c.gap != nn::GapInput::kNone, "model.chunk_frames",
          "0 without a gap");
  require(c.time_scale == std::round(c.time_scale), "model.time_scale", "an integer");
}

class Export {
 public:
  Export(const nn::NamedTensors& weights, const nn::DiTConfig& model, const ExportOptions& options)
      : model_(model), options_(options) {
    check_computable(model);
    nn::DiTConfig unguided = model;
    unguided.guidance_embedding = false;
    FittedWeights fitted = fit_weights(weights, model, unguided, options.guidance);
    notes_ = std::move(fitted.notes);
    for (const auto& [name, tensor] : fitted.weights) weights_[name] = tensor;
    if (model.classes > 0) fold_label();
    if (model.long_residual) fold_fusion();
    if (model.gap != nn::GapInput::kNone) fold_gate();
    if (model.context_dim == 0) add_silent_text();
  }

  void write(const std::filesystem::path& out) const {
    std::filesystem::create_directories(out / "transformer");
    std::filesystem::create_directories(out / "scheduler");
    write_weights(out / "transformer/diffusion_pytorch_model.safetensors");
    write_file_atomically(out / "transformer/config.json", description().dump(2) + "\n");
    write_file_atomically(out / "scheduler/scheduler_config.json", scheduler().dump(2) + "\n");
  }
  [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

 private:
  Tensor& at(const std::string& name) { return weights_.at(name); }

  /// A class embedding is added to that of the time; so is its fixed value to a bias.
  void fold_label() {
    const std::int64_t label = options_.label < 0 ? model_.classes : options_.label;
    if (label > model_.classes)
      throw InvalidArgument(
          str("[export] label: expected less than ", model_.classes, ", found ", label));
    const Tensor row = narrow(at("classes.weight"), 0, label, 1);
    at("time.out.bias") = at("time.out.bias") + reshape(row, {model_.dim});
    weights_.erase("classes.weight");
    notes_.push_back(
        label == model_.classes
            ? std::string("the model generates without a class: the null class is "
                          "added to time.out.bias")
            : str("the model generates class ", label, " only: it is added to time.out.bias"));
  }

  /// Without blocks before it, the fusion sees the patches twice, so it joins their projection.
  void fold_fusion() {
    const std::int64_t dim = model_.dim;
    const Tensor fusion = at("fusion.weight");
    const Tensor both =
        contiguous(narrow(fusion, 1, 0, dim)) + contiguous(narrow(fusion, 1, dim, dim));
    const Tensor bias = reshape(at("patch.proj.bias"), {dim, 1});
    at("patch.proj.bias") = reshape(matmul(both, bias), {dim}) + at("fusion.bias");
    at("patch.proj.weight") = matmul(both, at("patch.proj.weight"));
    for (const char* name : {"fusion.weight", "fusion.bias", "mask"}) weights_.erase(name);
    notes_.emplace_back("the fusion is joined with the projection of the patches");
  }

  /// E_t + E_gap as (1 - g) E_t + g E_gap.
  void fold_gate() {
    for (auto& [name, tensor] : weights_) {
      if (name.starts_with("time.out.")) tensor = tensor / (1 - kGate);
      if (name.starts_with("gap.out.")) tensor = tensor / kGate;
    }
  }

  void add_silent_text() {
    const std::int64_t d = model_.dim;
    const Tensor like = at("head.proj.weight");
    const auto fill = [&](const std::string& name, const Shape& shape, double value) {
      weights_[name] = Tensor::full(shape, value, like.dtype(), like.device());
    };
    fill("context.in.weight", {d, kTextWidth}, 0);
    fill("context.out.weight", {d, d}, 0);
    for (const char* name : {"context.in.bias", "context.out.bias"}) fill(name, {d}, 0);
    for (std::int64_t n = 0; n < model_.blocks(); ++n) {
      const std::string block = block_name(model_, n) + ".";
      fill(block + "cross_norm.weight", {d}, 1);
      fill(block + "cross_norm.bias", {d}, 0);
      fill(block + "cross_attention.q.weight", {d, d}, 0);
      fill(block + "cross_attention.q.bias", {d}, 0);
      fill(block + "cross_attention.kv.weight", {2 * d, d}, 0);
      fill(block + "cross_attention.kv.bias", {2 * d}, 0);
      fill(block + "cross_attention.out.weight", {d, d}, 0);
      fill(block + "cross_attention.out.bias", {d}, 0);
      for (const char* norm : {"cross_attention.q_norm.weight", "cross_attention.k_norm.weight"})
        fill(block + norm, {d}, 1);
    }
    notes_.emplace_back("the model takes no text: text has no effect in the exported one");
  }

  /// The shape under which the other program stores `rows` rows of a tensor of ours.
  [[nodiscard]] Shape their_shape(const std::string& ours, const Shape& shape,
                                  std::int64_t rows) const {
    if (ours == "patch.proj.weight")
      return {shape[0], model_.channels, model_.patch.t, model_.patch.h, model_.patch.w};
    if (ours.ends_with("modulation.table")) return {1, shape[0], shape[1]};
    Shape part = shape;
    part[0] = rows;
    return part;
  }

  void write_weights(const std::filesystem::path& file) const {
    std::deque<std::vector<float>> memory;
    std::vector<io::ArrayToStore> arrays;
    const auto store = [&](const std::string& name, const Shape& shape, std::vector<float> values) {
      const auto& kept = memory.emplace_back(std::move(values));
      arrays.push_back({name, "F32", shape, std::as_bytes(std::span(kept))});
    };
    for (const WanName& name : wan_names(model_, WanNaming::kDiffusers)) {
      const auto found = weights_.find(name.ours);
      if (found == weights_.end())
        throw InvalidArgument(str("[export] the weights hold no ", name.ours));
      const auto parts = static_cast<std::int64_t>(name.theirs.size());
      const std::int64_t rows = found->second.size(0) / parts;
      for (std::int64_t i = 0; i < parts; ++i) {
        store(name.theirs[static_cast<std::size_t>(i)],
              their_shape(name.ours, found->second.shape(), rows),
              contiguous(narrow(found->second, 0, i * rows, rows)).to_vector<float>());
      }
    }
    if (model_.chunk_frames > 0) {
      const Shape shape{model_.dim, model_.channels, 1, 2 * model_.patch.h, 2 * model_.patch.w};
      store("far_patch_embedding.weight", shape,
            std::vector<float>(static_cast<std::size_t>(element_count(shape))));
      store("far_patch_embedding.bias", {model_.dim},
            std::vector<float>(static_cast<std::size_t>(model_.dim)));
    }
    io::write_safetensors(file, arrays, {{"format", "pt"}});
  }

  [[nodiscard]] ordered_json description() const {
    const nn::DiTConfig& c = model_;
    const bool gap = c.gap != nn::GapInput::kNone;
    ordered_json json = {{"_class_name", !gap                  ? "WanTransformer3DModel"
                                         : c.chunk_frames == 0 ? "AnyFlowTransformer3DModel"
                                                               : "AnyFlowFARTransformer3DModel"},
                         {"patch_size", {c.patch.t, c.patch.h, c.patch.w}},
                         {"num_attention_heads", c.heads},
                         {"attention_head_dim", c.dim / c.heads},
                         {"in_channels", c.channels},
                         {"out_channels", c.channels},
                         {"text_dim", c.context_dim > 0 ? c.context_dim : kTextWidth},
                         {"freq_dim", 256},
                         {"ffn_dim", c.hidden},
                         {"num_layers", c.blocks()},
                         {"cross_attn_norm", true},
                         {"qk_norm", "rms_norm_across_heads"},
                         {"eps", 1e-6},
                         {"rope_max_seq_len", 1024}};
    if (gap) {
      json["gate_value"] = kGate;
      json["deltatime_type"] = c.gap == nn::GapInput::kEnd ? "r" : "t-r";
    }
    if (c.chunk_frames > 0) {
      const auto chunks = nn::chunk_lengths(c.grid().t, c.chunk_frames);
      json["chunk_partition"] = chunks;
      json["full_chunk_limit"] = chunks.size();
    }
    return json;
  }

  [[nodiscard]] ordered_json scheduler() const {
    return {{"_class_name", "FlowMapEulerDiscreteScheduler"},
            {"num_train_timesteps", static_cast<std::int64_t>(model_.time_scale)},
            {"shift", options_.shift}};
  }

  nn::DiTConfig model_;
  ExportOptions options_;
  std::map<std::string, Tensor> weights_;
  std::vector<std::string> notes_;
};

}  // namespace

std::vector<std::string> export_weights(const nn::NamedTensors& weights, const nn::DiTConfig& model,
                                        const ExportOptions& options,
                                        const std::filesystem::path& out) {
  const NoGrad off;
  const Export exported(weights, model, options);
  exported.write(out);
  return exported.notes();
}

}  // namespace eflow::trainer
