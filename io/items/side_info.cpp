#include "eflow/io/items/side_info.hpp"

#include <nlohmann/json.hpp>

#include "eflow/io/shard/json_fields.hpp"

namespace eflow::io {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(const std::string& where, const char* key, const json& value,
                         const char* expected) {
  std::string found = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (found.size() > 60) found = found.substr(0, 60) + "...";
  throw InvalidArgument(
      str("[import] ", where, ", \"", key, "\" is ", found, "; expected ", expected));
}

const json* find(const json& object, std::initializer_list<const char*> keys, const char** key) {
  for (const char* name : keys) {
    const auto found = object.find(name);
    if (found != object.end() && !found->is_null()) {
      *key = name;
      return &*found;
    }
  }
  return nullptr;
}

json parse(std::string_view text, const std::string& where) {
  check_json_bounds(text, where);
  try {
    return json::parse(text);
  } catch (const json::exception& e) {
    throw CorruptData(str("[import] ", where, " is not JSON: ", e.what()));
  }
}

void add_caption(std::string text, const std::string& where, Item& item) {
  if (!is_utf8(text)) throw InvalidArgument(str("[import] ", where, ": a caption is not UTF-8"));
  for (const ItemCaption& known : item.captions)
    if (known.text == text) return;
  item.captions.push_back({std::move(text), {}});
}

void add_captions(const json& object, const std::string& where, Item& item) {
  const char* key = "";
  const json* found = find(object, {"captions"}, &key);
  if (found) {
    if (!found->is_array()) refuse(where, key, *found, "a list of strings");
    for (const json& one : *found) {
      if (!one.is_string()) refuse(where, key, *found, "a list of strings");
      add_caption(one.get<std::string>(), where, item);
    }
    return;
  }
  found = find(object, {"caption", "text", "prompt"}, &key);
  if (!found) return;
  if (!found->is_string()) refuse(where, key, *found, "a string");
  add_caption(found->get<std::string>(), where, item);
}

void add_label(const json& object, const std::string& where, Item& item) {
  const char* key = "";
  const json* found = find(object, {"label", "class", "cls"}, &key);
  if (!found) return;
  if (found->is_string()) {
    item.class_name = found->get<std::string>();
  } else if (found->is_number_integer()) {
    item.label = found->get<std::int64_t>();
  } else {
    refuse(where, key, *found, "an integer or the name of a class");
  }
}

/// Reads a number from 0 to below `most`, which may be written as a string, if the key is there.
template <class T>
void add_number(const json& object, const char* key, double most, const std::string& where,
                T& out) {
  const char* found_key = "";
  const json* found = find(object, {key}, &found_key);
  if (!found) return;
  double value = -1;
  if (found->is_number()) value = found->get<double>();
  if (found->is_string()) {
    const json inner = json::parse(found->get<std::string>(), nullptr, false);
    if (inner.is_number()) value = inner.get<double>();
  }
  if (!(value >= 0 && value < most)) refuse(where, key, *found, "a number that is not negative");
  out = static_cast<T>(value);
}

void add_object(const json& object, const std::string& where, Item& item) {
  if (!object.is_object()) throw InvalidArgument(str("[import] ", where, " is no JSON object"));
  add_captions(object, where, item);
  add_label(object, where, item);
  add_number(object, "fps", 1e6, where, item.fps);
  add_number(object, "width", 1e9, where, item.width);
  add_number(object, "height", 1e9, where, item.height);
  add_number(object, "frames", 1e12, where, item.frames);
}

}  // namespace

void add_text_info(std::string_view text, const std::string& where, Item& item) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  constexpr std::string_view kBlank = " \t\r";
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t first = line.find_first_not_of(kBlank);
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(kBlank) - first + 1);
    add_caption(std::string(line), where, item);
  }
}

void add_json_info(std::string_view text, const std::string& where, Item& item) {
  add_object(parse(text, where), where, item);
}

void add_metadata_info(const std::map<std::string, std::string>& metadata, const std::string& where,
                       Item& item) {
  json object = json::object();
  for (const auto& [key, value] : metadata) {
    if (!is_utf8(value))
      throw InvalidArgument(str("[import] ", where, ", metadata ", key, " is not UTF-8"));
    object[key] = key == "captions" ? parse(value, where + ", metadata captions") : json(value);
  }
  if (object.contains("label")) {
    const json number = json::parse(object["label"].get<std::string>(), nullptr, false);
    if (number.is_number_integer()) object["label"] = number;
  }
  add_object(object, where, item);
  const auto text = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  item.latent_space = text("latent_space");
  if (const std::string said = text("normalised"); !said.empty()) {
    if (said != "true" && said != "false")
      refuse(where, "normalised", object["normalised"], "\"true\" or \"false\"");
    item.normalised = said == "true" ? Normalised::kYes : Normalised::kNo;
  }
}

}  // namespace eflow::io
