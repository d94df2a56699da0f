#include "eflow/trainer/data/data_info.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/trainer/config/exit_code.hpp"

namespace eflow::trainer {

std::vector<float> null_context_values(const io::ClipSource& source) {
  const Shape context = source.context_shape();
  if (context.rank() == 0) return {};
  std::vector<float> values(static_cast<std::size_t>(element_count(context)));
  source.read_null_context(values);
  const bool zero = std::all_of(values.begin(), values.end(), [](float v) { return v == 0; });
  return zero ? std::vector<float>() : values;
}

DataInfo describe(const io::ClipSource& source) {
  const Shape shape = source.clip_shape();
  DataInfo info;
  info.clips = {shape[0], shape[1], shape[2], shape[3], source.class_count()};
  const Shape context = source.context_shape();
  if (context.rank() > 0) info.clips.context_dim = context[1];
  info.class_names = source.class_names();
  info.fps = source.fps();
  info.training_clips = source.size();
  if (context.rank() > 0) {
    info.text.length = context[0];
    info.text.null = null_context_values(source);
  }
  if (const auto* set = dynamic_cast<const io::Dataset*>(&source)) {
    const io::DatasetSpec& spec = set->manifest().spec;
    info.latent = spec.latent;
    info.rgb = io::read_latent_rgb(set->directory(), shape[0]);
    if (spec.text) {
      info.text.encoder = spec.text->encoder;
      info.text.encoder_hash = spec.text->encoder_hash;
    }
  }
  return info;
}

std::string to_json(const DataInfo& info) {
  nlohmann::ordered_json json = {
      {"channels", info.clips.channels},       {"frames", info.clips.frames},
      {"height", info.clips.height},           {"width", info.clips.width},
      {"classes", info.clips.classes},         {"context_dim", info.clips.context_dim},
      {"class_names", info.class_names},       {"fps", info.fps},
      {"training_clips", info.training_clips}, {"fingerprint", info.fingerprint}};
  if (info.text.length > 0) {
    json["text"] = {{"length", info.text.length},
                    {"encoder", info.text.encoder},
                    {"encoder_hash", info.text.encoder_hash}};
  }
  if (!(info.latent == io::LatentSpace{})) {
    json["latent"] = {
        {"name", info.latent.name}, {"mean", info.latent.mean}, {"std", info.latent.std}};
  }
  if (info.rgb.defined()) json["latent_rgb"] = info.rgb.rows;
  return json.dump(2) + "\n";
}

DataInfo data_info_from_json(const std::string& text, const std::string& where) {
  try {
    const auto json = nlohmann::json::parse(text);
    DataInfo info;
    info.clips = {json.at("channels"), json.at("frames"),
                  json.at("height"),   json.at("width"),
                  json.at("classes"),  json.value("context_dim", std::int64_t{0})};
    info.class_names = json.at("class_names").get<std::vector<std::string>>();
    info.fps = json.at("fps");
    info.training_clips = json.at("training_clips");
    info.fingerprint = json.at("fingerprint");
    if (json.contains("text")) {
      const auto& found = json.at("text");
      info.text.length = found.at("length");
      info.text.encoder = found.at("encoder");
      info.text.encoder_hash = found.at("encoder_hash");
    }
    if (json.contains("latent")) {
      const auto& latent = json.at("latent");
      info.latent.name = latent.at("name");
      info.latent.mean = latent.at("mean").get<std::vector<double>>();
      info.latent.std = latent.at("std").get<std::vector<double>>();
    }
    if (json.contains("latent_rgb"))
      info.rgb.rows = json.at("latent_rgb").get<std::vector<double>>();
    return info;
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(str("[data info] ", where, ": ", error.what()));
  }
}

Tensor null_context_of(const DataInfo& info) {
  if (info.text.null.empty()) return {};
  return Tensor::from(info.text.null, {info.text.length, info.clips.context_dim});
}

std::int64_t label_of(const DataInfo& info, const std::string& name_or_number) {
  const auto& names = info.class_names;
  const auto found = std::find(names.begin(), names.end(), name_or_number);
  if (found != names.end()) return found - names.begin();
  const bool digits = !name_or_number.empty() && name_or_number.size() < 10 &&
                      name_or_number.find_first_not_of("0123456789") == std::string::npos;
  const std::int64_t label = digits ? std::stoll(name_or_number) : -1;
  if (label >= 0 && label < info.clips.classes) return label;
  std::string known;
  for (const auto& name : names) known += ", " + name;
  throw InvalidArgument(str("label: expected a number from 0 to ", info.clips.classes - 1,
                            known.empty() ? "" : ", or one of",
                            known.empty() ? "" : known.substr(1), "; found '", name_or_number,
                            "'"));
}

std::string label_name(const DataInfo& info, std::int64_t label) {
  if (info.class_names.empty()) return std::to_string(label);
  return info.class_names.at(static_cast<std::size_t>(label));
}

}  // namespace eflow::trainer
