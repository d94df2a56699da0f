#include "eflow/jit/cache/tuning_record.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/jit/kernel/canonical.hpp"

namespace eflow::jit {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kStates[] = {"new", "trying", "ok", "wrong", "failed", "crashed"};

ConfigState state_from(const std::string& name) {
  for (int i = 0; i < 6; ++i) {
    if (name == kStates[i]) return static_cast<ConfigState>(i);
  }
  throw InvalidArgument(str("state \"", name, "\" is unknown"));
}

/// A record has four levels. Deeper JSON is refused before it is parsed, since it is written by
/// recursion.
constexpr int kMaxNesting = 16;

/// Three quantiles for human readers, stored next to the samples.
Json quantiles(std::vector<double> us) {
  if (us.empty()) return Json::array();
  std::sort(us.begin(), us.end());
  const auto at = [&](std::size_t percent) { return us[(us.size() - 1) * percent / 100]; };
  return {at(20), at(50), at(80)};
}

Json encode_config(const ConfigRecord& c, const std::vector<std::string>& tunables) {
  Json values = Json::object();
  for (std::size_t i = 0; i < tunables.size(); ++i) values[tunables[i]] = c.values[i];
  Json out{{"config", values}, {"state", name_of(c.state)}, {"tries", c.tries}};
  if (!c.label.empty()) out["label"] = c.label;
  if (!c.why.empty()) out["why"] = c.why;
  out["us"] = quantiles(c.us);
  out["samples"] = c.us;
  return out;
}

ConfigRecord decode_config(const Json& j, const std::vector<std::string>& tunables) {
  ConfigRecord c;
  for (const std::string& name : tunables) c.values.push_back(j.at("config").at(name).get<int>());
  c.state = state_from(j.at("state").get<std::string>());
  c.tries = j.at("tries").get<int>();
  c.label = j.value("label", "");
  c.why = j.value("why", "");
  c.us = j.at("samples").get<std::vector<double>>();
  for (const double us : c.us) {
    if (!(us > 0)) throw InvalidArgument("a sample is not a positive time");
  }
  return c;
}

Json encode_shape(ShapeBucket shape) {
  Json out = Json::array();
  for (int i = 0; i < ShapeBucket::kSizes && shape.high(i) > 0; ++i)
    out.push_back({shape.low(i) + 1, shape.high(i)});
  return out;
}

ShapeBucket decode_shape(const Json& j) {
  std::vector<std::int64_t> sizes;
  for (const Json& edges : j) sizes.push_back(edges.at(1).get<std::int64_t>());
  if (sizes.size() > static_cast<std::size_t>(ShapeBucket::kSizes))
    throw InvalidArgument("too many sizes");
  return ShapeBucket(std::span<const std::int64_t>(sizes));
}

constexpr const char* kChecksum = "checksum";
constexpr int kSchemaWithoutChecksum = 1;

/// The checksum of a record without the checksum itself.
std::string checksum_of(const Json& j) {
  const std::string text = j.dump();
  return to_hex(hash128(std::as_bytes(std::span(text))));
}

/// Checks schema and checksum; removes the latter.
void check_content(Json& j) {
  const int schema = j.at("schema").get<int>();
  const bool has_checksum = j.contains(kChecksum);
  if (schema == kSchemaWithoutChecksum && !has_checksum) return;
  if (schema != TuningRecord::kSchema)
    throw InvalidArgument(str("schema ", schema, ", expected ", TuningRecord::kSchema));
  const std::string stored = j.at(kChecksum).get<std::string>();
  j.erase(kChecksum);
  if (const std::string found = checksum_of(j); found != stored) {
    throw InvalidArgument(str("checksum is ", found, ", expected ", stored,
                              ": the record is damaged; tune the kernel again"));
  }
}

/// Names of kernels and architectures become names of folders.
void check_folder_name(const char* field, const std::string& name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-' || c == '+';
  };
  const bool clean = !name.empty() && name.front() != '.' && name.size() <= 100 &&
                     name.find("..") == std::string::npos &&
                     std::all_of(name.begin(), name.end(), plain);
  if (!clean) {
    throw InvalidArgument(str(field, " is \"", name.substr(0, 100),
                              "\"; expected letters, digits, _ - + / and single dots"));
  }
}

TuningRecord decode_all(Json j) {
  check_content(j);
  TuningRecord r;
  r.key.kernel = parse_kernel(j.at("kernel").get<std::string>());
  r.key.shape = decode_shape(j.at("shape"));
  r.key.device = j.at("device").get<std::string>();
  r.key.arch = j.at("arch").get<std::string>();
  check_folder_name("kernel", r.key.kernel.name);
  check_folder_name("arch", r.key.arch);
  if (r.key.arch.find('/') != std::string::npos)
    throw InvalidArgument(str("arch is \"", r.key.arch, "\"; expected a name without /"));
  r.text = j.at("text").get<std::string>();
  r.toolchain = j.at("toolchain").get<std::string>();
  r.tunables = j.at("tunables").get<std::vector<std::string>>();
  for (const Json& c : j.at("configs")) r.configs.push_back(decode_config(c, r.tunables));
  r.best = j.at("best").get<int>();
  r.gain = j.at("gain").get<double>();
  r.finished = j.at("finished").get<bool>();
  r.at = j.at("at").get<std::string>();
  if (r.best < 0 || r.best >= static_cast<int>(r.configs.size()))
    throw InvalidArgument(str("best is config ", r.best, " of ", r.configs.size()));
  return r;
}

}  // namespace

int nesting_of(std::string_view json) {
  int depth = 0, most = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      most = std::max(most, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return most;
}

std::string to_string(ShapeBucket shape) {
  std::string out;
  for (int i = 0; i < ShapeBucket::kSizes && shape.high(i) > 0; ++i)
    out += str(i == 0 ? "" : " x ", "(", shape.low(i), ", ", shape.high(i), "]");
  return out;
}

std::string_view name_of(ConfigState state) {
  return kStates[static_cast<int>(state)];
}

std::string TuningKey::digest() const {
  ByteWriter out;
  out.string("eflow tuning").string(to_string(kernel.spec, kernel.name)).u64(kernel.spec.assume);
  out.u64(shape.code).string(device).string(arch);
  return to_hex(hash128(out.view()));
}

std::string TuningRecord::encode() const {
  Json j{{"schema", kSchema},
         {"kernel", to_string(key.kernel.spec, key.kernel.name)},
         {"shape", encode_shape(key.shape)},
         {"device", key.device},
         {"arch", key.arch},
         {"toolchain", toolchain},
         {"text", text},
         {"tunables", tunables},
         {"best", best},
         {"gain", gain},
         {"finished", finished},
         {"at", at},
         {"configs", Json::array()}};
  for (const ConfigRecord& c : configs) j["configs"].push_back(encode_config(c, tunables));
  j[kChecksum] = checksum_of(j);
  return j.dump(1) + '\n';
}

std::optional<TuningRecord> TuningRecord::decode(std::string_view json, std::string& why) {
  try {
    if (nesting_of(json) > kMaxNesting)
      throw InvalidArgument(str("more than ", kMaxNesting, " levels of brackets"));
    return decode_all(Json::parse(json));
  } catch (const std::exception& e) {  // ours and nlohmann's
    why = e.what();
    return std::nullopt;
  }
}

std::string TuningRecord::text_of(const ConfigRecord& config) const {
  std::string out = config.label;
  for (std::size_t i = 0; config.label.empty() && i < config.values.size(); ++i)
    out += str(i == 0 ? "" : " ", tunables[i], "=", config.values[i]);
  return out;
}

int TuningRecord::find(const std::vector<int>& values) const {
  for (std::size_t i = 0; i < configs.size(); ++i) {
    if (configs[i].values == values) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace eflow::jit
