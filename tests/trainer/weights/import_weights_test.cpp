// Public weights here and weights of ours elsewhere compute the same, against a reference of the
// other programs' mathematics.
#define BOOST_TEST_MODULE import_weights
#include "eflow/trainer/weights/import_weights.hpp"

#include <sys/wait.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/core/tensor/random_key.hpp"
#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/dataset/npy.hpp"
#include "eflow/nn/dit/video_dit.hpp"
#include "eflow/tests/support/model_check.hpp"
#include "eflow/tests/trainer/temporary_folder.hpp"
#include "eflow/tests/trainer/weights/wan_reference.hpp"
#include "eflow/trainer/config/model_config.hpp"
#include "eflow/trainer/weights/export_weights.hpp"
#include "eflow/trainer/weights/wan_names.hpp"
#include "eflow/trainer/weights/weight_files.hpp"

using namespace eflow;
using namespace eflow::trainer;
using test::Numbers;
using test::WanReference;

namespace {

/// `count` normal numbers that f32 represents.
Numbers normal(std::int64_t count, double deviation, std::uint32_t purpose) {
  Numbers values = normal_values({1, count}, {.seed = 5, .purpose = purpose}, {0});
  for (double& v : values) v = static_cast<double>(static_cast<float>(v * deviation));
  return values;
}

WanReference reference(double gate = 0, bool delta_is_r = false) {
  WanReference wan;
  wan.gate = gate;
  wan.delta_is_r = delta_is_r;
  std::uint32_t purpose = 1000;
  wan.make([&](const std::string&, int count, double deviation) {
    return normal(count, deviation, ++purpose);
  });
  return wan;
}

/// The shape that diffusers stores a weight with.
Shape shape_of(const WanReference& wan, const std::string& name) {
  const auto size = static_cast<std::int64_t>(wan.weights.at(name).size());
  const std::int64_t d = wan.dim();
  if (name == "patch_embedding.weight") return {d, wan.channels, wan.pt, wan.ph, wan.pw};
  if (name.ends_with("scale_shift_table")) return {1, size / d, d};
  if (!name.ends_with(".weight") || size == d) return {size};
  const auto bias = wan.weights.find(name.substr(0, name.size() - 6) + "bias");
  // Tests remove the bias of the last layer.
  const std::int64_t rows = bias == wan.weights.end()
                                ? wan.patch_values()
                                : static_cast<std::int64_t>(bias->second.size());
  return {rows, size / rows};
}

/// Files of weights under chosen names.
struct Files : TemporaryFolder {
  std::deque<std::vector<float>> memory;
  std::vector<io::ArrayToStore> arrays;

  void add(const std::string& name, const Shape& shape, const Numbers& values) {
    const auto& kept = memory.emplace_back(values.begin(), values.end());
    arrays.push_back({name, "F32", shape, std::as_bytes(std::span(kept))});
  }
  void add(const WanReference& wan) {
    for (const auto& [name, values] : wan.weights) add(name, shape_of(wan, name), values);
  }
  std::filesystem::path write(const std::string& name = "model.safetensors") const {
    io::write_safetensors(path() / name, arrays);
    return path() / name;
  }
  void describe(const nlohmann::json& json) const { std::ofstream(path() / "config.json") << json; }
};

nlohmann::json description(const WanReference& wan) {
  nlohmann::json json = {
      {"num_attention_heads", wan.heads}, {"eps", 1e-6}, {"cross_attn_norm", true}};
  if (wan.gate > 0) {
    json["gate_value"] = wan.gate;
    json["deltatime_type"] = wan.delta_is_r ? "r" : "t-r";
  }
  return json;
}

ImportRequest request(const WanReference& wan, const std::filesystem::path& weights) {
  return {.from = wan.gate > 0 ? WeightsOf::kAnyFlow : WeightsOf::kWan21,
          .weights = weights,
          .frames = wan.frames,
          .height = wan.height,
          .width = wan.width};
}

std::unique_ptr<nn::VideoDiT> network_of(const ImportedModel& model, DType dtype = DType::kF64) {
  auto net = std::make_unique<nn::VideoDiT>(nn::Scope({.seed = 1}, dtype),
                                            dit_config(model.config, model.data.clips));
  net->load_state(model.weights);
  return net;
}

Tensor one(const Numbers& values, const Shape& shape) {
  return Tensor::from(values, shape);
}

/// Largest difference between a network and the reference at (t, s), times of 0..1.
double difference(const nn::VideoDiT& net, const WanReference& wan, double t, double s,
                  nn::Condition condition = {}, double scale = 1000) {
  const Numbers x =
      normal(static_cast<std::int64_t>(wan.channels) * wan.frames * wan.height * wan.width, 1, 1);
  const Numbers text = normal(static_cast<std::int64_t>(wan.text_tokens) * wan.text_width, 1, 2);
  const Shape clip{1, wan.channels, wan.frames, wan.height, wan.width};
  if (net.config().context_dim > 0)
    condition.context = one(text, {1, wan.text_tokens, wan.text_width});
  const Tensor y = net(one(x, clip), one({t}, {1}), one({s}, {1}), condition);
  return test::distance(y, one(wan(x, scale * t, scale * s, text), clip));
}

std::string complaint(const ImportRequest& asked) {
  try {
    static_cast<void>(import_weights(asked));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(wan_is_computed_as_its_own_program_does) {
  const WanReference wan = reference();
  Files files;
  files.add(wan);
  files.describe(description(wan));
  const ImportedModel model = import_weights(request(wan, files.write().parent_path()));
  BOOST_TEST(model.notes.size() == 2U);  // no null prompt; 3 channels are not Wan's latents
  BOOST_TEST((model.config.model.gap == nn::GapInput::kNone));
  BOOST_TEST(problems_of(model.config).empty());
  const auto net = network_of(model);
  for (const double t : {1.0, 0.7, 0.05}) {
    BOOST_TEST(difference(*net, wan, t, t) < 1e-11);
    BOOST_TEST(difference(*net, wan, t, 0) < 1e-11);  // the same velocity for every s
  }
  BOOST_TEST(difference(*net, wan, 0.7, 0.7, {}, 990) > 1e-3);
}

BOOST_AUTO_TEST_CASE(anyflow_is_computed_as_its_own_program_does) {
  for (const bool delta_is_r : {false, true}) {
    for (const double gate : {0.5, 0.25}) {
      const WanReference wan = reference(gate, delta_is_r);
      Files files;
      files.add(wan);
      files.describe(description(wan));
      const ImportedModel model = import_weights(request(wan, files.write()));
      BOOST_TEST(
          (model.config.model.gap == (delta_is_r ? nn::GapInput::kEnd : nn::GapInput::kInterval)));
      const auto net = network_of(model);
      // Products with (1 - g) and g round to f32, except where they are powers of two.
      const double tolerance = gate == 0.5 ? 1e-11 : 1e-5;
      BOOST_TEST(difference(*net, wan, 0.8, 0.3) < tolerance);
      BOOST_TEST(difference(*net, wan, 0.8, 0.8) < tolerance);
      WanReference other = wan;
      other.delta_is_r = !delta_is_r;
      BOOST_TEST(difference(*net, other, 0.8, 0.3) > 1e-2);
    }
  }
}

/// The names of Wan's own files, and ComfyUI's prefix, in two files with an index.
BOOST_AUTO_TEST_CASE(other_names_and_divided_files_give_the_same_weights) {
  const WanReference wan = reference();
  Files diffusers, original, comfy;
  diffusers.add(wan);
  diffusers.describe(description(wan));
  const ImportedModel model = import_weights(request(wan, diffusers.write()));
  const nn::DiTConfig network = dit_config(model.config, model.data.clips);
  const auto ours = wan_names(network, WanNaming::kDiffusers),
             theirs = wan_names(network, WanNaming::kOriginal);
  BOOST_REQUIRE(ours.size() == theirs.size());
  Files second;
  nlohmann::json index;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    for (std::size_t k = 0; k < ours[i].theirs.size(); ++k) {
      const std::string from = ours[i].theirs[k], to = theirs[i].theirs[k];
      original.add(to, shape_of(wan, from), wan.weights.at(from));
      Files& half = i % 2 == 0 ? comfy : second;
      half.add("model.diffusion_model." + to, shape_of(wan, from), wan.weights.at(from));
      index["weight_map"]["model.diffusion_model." + to] =
          i % 2 == 0 ? "a.safetensors" : "b.safetensors";
    }
  }
  original.describe({{"num_heads", wan.heads}, {"model_type", "t2v"}});
  comfy.describe({{"num_heads", wan.heads}});
  std::filesystem::copy(second.write(), comfy.path() / "b.safetensors");
  comfy.write("a.safetensors");
  std::ofstream(comfy.path() / "m.safetensors.index.json") << index;
  for (const auto& path : {original.write(), comfy.path()}) {
    const ImportedModel same = import_weights(request(wan, path));
    BOOST_REQUIRE(same.weights.size() == model.weights.size());
    for (std::size_t i = 0; i < same.weights.size(); ++i) {
      BOOST_TEST(same.weights[i].first == model.weights[i].first);
      BOOST_TEST(test::distance(same.weights[i].second, model.weights[i].second) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_refused) {
  const WanReference wan = reference();
  const auto says = [&](auto change, nlohmann::json json = {}, WeightsOf from = WeightsOf::kWan21) {
    Files files;
    WanReference changed = wan;
    change(changed, files);
    files.add(changed);
    if (json.is_null()) json = description(wan);
    files.describe(json);
    ImportRequest asked = request(wan, files.write());
    asked.from = from;
    return complaint(asked);
  };
  const auto nothing = [](WanReference&, Files&) {};
  BOOST_TEST(says(nothing) == "");
  BOOST_TEST(contains(says([](WanReference& w, Files&) { w.weights.erase("proj_out.bias"); }),
                      "holds no proj_out.bias"));
  BOOST_TEST(contains(says([](WanReference&, Files& f) { f.add("blocks.0.extra", {1}, {0}); }),
                      "no counterpart here: blocks.0.extra"));
  BOOST_TEST(
      contains(says([](WanReference&, Files& f) { f.add("img_emb.proj.0.weight", {1}, {0}); }),
               "image-to-video"));
  BOOST_TEST(contains(says([](WanReference& w, Files& f) {
                        f.add("proj_out.bias", {6}, Numbers(6));
                        w.weights.erase("proj_out.bias");
                      }),
                      "proj_out.bias: expected [12] for head.proj.bias, found [6]"));
  BOOST_TEST(contains(says(nothing, {{"eps", 1e-5}}), "eps: expected 1e-06"));
  BOOST_TEST(contains(says(nothing, {{"model_type", "i2v"}}), "model_type"));
  BOOST_TEST(contains(says(nothing, {{"num_heads", 2}}, WeightsOf::kAnyFlow), "use --from wan2.1"));
  BOOST_TEST(contains(says(nothing, nlohmann::json::object()), "use --heads"));
  BOOST_TEST(contains(complaint({.weights = "/nowhere"}), "no such file or folder"));

  const WanReference flow = reference(0.25, true);
  Files files;
  files.add(flow);
  files.add("far_patch_embedding.weight", {1}, {0});
  auto json = description(flow);
  json["chunk_partition"] = {1, 3, 3, 2};
  json["full_chunk_limit"] = 3;
  files.describe(json);
  BOOST_TEST(contains(complaint(request(flow, files.write())), "compressed chunks"));
  json["full_chunk_limit"] = 4;
  files.describe(json);
  const ImportedModel causal = import_weights(request(flow, files.write()));
  BOOST_TEST(causal.config.model.chunk_frames == 3);
  ImportRequest asked = request(flow, files.write());
  asked.from = WeightsOf::kWan21;
  BOOST_TEST(contains(complaint(asked), "use --from anyflow"));
}

namespace {

/// The exported weights as the reference takes them.
WanReference exported(const std::filesystem::path& out, WanReference sizes) {
  const WeightFiles files(out);
  sizes.weights.clear();
  for (const std::string& name : files.names()) {
    const auto values = files.read(name);
    sizes.weights[name] = Numbers(values.begin(), values.end());
  }
  const auto json = nlohmann::json::parse(files.config());
  sizes.gate = json.value("gate_value", 0.0);
  sizes.delta_is_r = json.value("deltatime_type", "") == "r";
  sizes.text_width = json.at("text_dim").get<int>();
  return sizes;
}

}  // namespace

/// A network with everything that can be folded: guidance scale, classes, fusion, no text.
BOOST_AUTO_TEST_CASE(exported_models_compute_the_same) {
  WanReference sizes = reference();
  nn::DiTConfig c;
  c.channels = sizes.channels, c.frames = sizes.frames, c.height = sizes.height;
  c.width = sizes.width;
  c.patch = {1, 2, 2};
  c.dim = sizes.dim(), c.heads = sizes.heads, c.hidden = sizes.hidden;
  c.encoder = c.middle = 0, c.decoder = sizes.blocks;
  c.attention = nn::AttentionKind::kSoftmax;
  c.classes = 3;
  c.guidance_embedding = true;
  c.time_scale = 8;
  for (const nn::GapInput gap :
       {nn::GapInput::kInterval, nn::GapInput::kEnd, nn::GapInput::kNone}) {
    c.gap = gap;
    nn::VideoDiT net(nn::Scope({.seed = 1}, DType::kF64), c);
    test::perturb(net.parameters(), 0.2);
    const TemporaryFolder folder;
    const auto notes =
        export_weights(net.state(), c, {.guidance = 3, .label = 2}, folder.path() / "o");
    BOOST_TEST(notes.size() == 4U);  // guidance, label, fusion, text
    const WanReference wan = exported(folder.path() / "o", sizes);
    nn::Condition condition;
    condition.labels = Tensor::from(std::vector<std::int64_t>{2}, {1});
    condition.guidance = one({3}, {1});
    BOOST_TEST(difference(net, wan, 0.7, 0.2, condition, 8) < 1e-4);  // stored in f32
    condition.labels = Tensor::from(std::vector<std::int64_t>{1}, {1});
    BOOST_TEST(difference(net, wan, 0.7, 0.2, condition, 8) > 1e-2);
  }
  const auto refuses = [&](auto change) {
    nn::DiTConfig other = c;
    change(other);
    const nn::VideoDiT net(nn::Scope({.seed = 1}, DType::kF64), other);
    const TemporaryFolder folder;
    BOOST_CHECK_THROW(export_weights(net.state(), other, {}, folder.path() / "o"), InvalidArgument);
    BOOST_TEST(!std::filesystem::exists(folder.path() / "o"));
  };
  refuses([](nn::DiTConfig& o) { o.attention = nn::AttentionKind::kGated; });
  refuses([](nn::DiTConfig& o) { o.prediction = nn::Prediction::kData; });
  refuses([](nn::DiTConfig& o) { o.position_table = true; });
  refuses([](nn::DiTConfig& o) { o.encoder = 1; });
  refuses([](nn::DiTConfig& o) { o.time_scale = 37.5; });
}

BOOST_AUTO_TEST_CASE(imported_models_are_exported_again) {
  for (const double gate : {0.0, 0.25}) {
    const WanReference wan = reference(gate, true);
    Files files;
    files.add(wan);
    files.describe(description(wan));
    const ImportedModel model = import_weights(request(wan, files.write()));
    const TemporaryFolder folder;
    const auto notes = export_weights(model.weights, dit_config(model.config, model.data.clips),
                                      {.shift = 5}, folder.path());
    BOOST_TEST(notes.empty());
    const ImportedModel back = import_weights(request(wan, folder.path()));
    BOOST_TEST(to_ini(back.config) == to_ini(model.config));
    for (std::size_t i = 0; i < model.weights.size(); ++i)
      BOOST_TEST(test::distance(back.weights[i].second, model.weights[i].second) == 0);
  }
}

/// Against diffusers itself, where it is installed: EFLOW_TORCH_PYTHON names the interpreter.
BOOST_AUTO_TEST_CASE(diffusers_computes_the_same) {
  const char* python = std::getenv("EFLOW_TORCH_PYTHON");
  const TemporaryFolder folder;
  const std::string command = std::string(python ? python : "python3") +
                              " " EFLOW_TESTS "/trainer/weights/wan_diffusers.py " +
                              folder.path().string() + " >/dev/null 2>&1";
  if (WEXITSTATUS(std::system(command.c_str())) != 0) {
    BOOST_TEST_MESSAGE(
        "skipped: torch and diffusers are not installed; EFLOW_TORCH_PYTHON may name "
        "a Python that has them");
    return;
  }
  const ImportedModel model =
      import_weights({.weights = folder.path(), .frames = 3, .height = 4, .width = 6});
  const auto net = network_of(model, DType::kF32);
  const auto array = [&](const char* name) {
    const io::NpyFile file(folder.path() / (std::string(name) + ".npy"));
    std::vector<float> values(static_cast<std::size_t>(element_count(file.shape())));
    file.read_rows(0, file.rows(), std::as_writable_bytes(std::span(values)));
    return Tensor::from(values, file.shape());
  };
  const Tensor t = array("t") / 1000.0, y = array("y");
  nn::Condition condition;
  condition.context = array("text");
  const Tensor ours = (*net)(array("x"), t, t, condition);
  BOOST_TEST(test::distance(cast(ours, DType::kF64), cast(y, DType::kF64)) <
             2e-3 * test::largest(cast(y, DType::kF64)));
}
