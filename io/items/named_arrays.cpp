#include "eflow/io/items/named_arrays.hpp"

#include <algorithm>
#include <array>

#include "eflow/io/arrays/safetensors.hpp"
#include "eflow/io/items/array_bytes.hpp"
#include "eflow/io/items/side_info.hpp"

namespace eflow::io {
namespace {

constexpr std::array<std::string_view, 6> kClipNames = {"latents", "latent", "vae_latent",
                                                        "video",   "videos", "clip"};
constexpr std::array<std::string_view, 5> kContextNames = {"context", "text", "text_embedding",
                                                           "prompt_embeds", "caption_feature"};
constexpr std::array<std::string_view, 3> kLabelNames = {"label", "labels", "y"};

class Tensors : public NamedArrays {
 public:
  explicit Tensors(const std::filesystem::path& path) : file_(path) {}
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> out;
    for (const auto& [name, array] : file_.arrays()) out.push_back(name);
    return out;
  }
  [[nodiscard]] RawArray read(const std::string& name) const override {
    const StoredArray& array = file_.array(name);
    const auto element = element_of_safetensors(array.dtype);
    if (!element) {
      throw InvalidArgument(str("[import] ", file_.path().string(), ", array \"", name, "\" is ",
                                array.dtype, "; expected U8, F16, BF16, F32 or F64"));
    }
    RawArray out{*element, array.shape, std::vector<std::byte>(array.bytes)};
    file_.read(array, 0, out.bytes);
    return out;
  }
  [[nodiscard]] std::int64_t read_label(const std::string& name) const override {
    const StoredArray& array = file_.array(name);
    if (element_count(array.shape) != 1) {
      throw InvalidArgument(str("[import] ", file_.path().string(), ", array \"", name, "\" is ",
                                array.shape, "; a label is one integer"));
    }
    return file_.read_integers(name).front();
  }
  [[nodiscard]] std::map<std::string, std::string> metadata() const override {
    return file_.metadata();
  }

 private:
  SafetensorsFile file_;
};

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 12;
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) out += str(i ? ", " : "", names[i]);
  return names.empty() ? "none" : names.size() > kMost ? out + ", ..." : out;
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The wanted name, which must be there; the first known name that is there; or "".
template <std::size_t n>
std::string pick(const std::vector<std::string>& names, const std::string& wanted,
                 const std::array<std::string_view, n>& known, const std::string& where) {
  if (!wanted.empty()) {
    if (has(names, wanted)) return wanted;
    throw InvalidArgument(
        str("[import] ", where, " has no array \"", wanted, "\"; it has ", listed(names)));
  }
  for (const std::string_view name : known)
    if (has(names, name)) return std::string(name);
  return "";
}

std::string pick_musubi(const std::vector<std::string>& names, std::string_view prefix,
                        bool sized) {
  for (const std::string& name : names)
    if (is_musubi_key(name, prefix, sized)) return name;
  return "";
}

/// The embeddings of a clip's captions: "context", or "context.0", "context.1", ... for several.
std::vector<std::string> context_names(const std::vector<std::string>& names,
                                       const std::string& first) {
  if (!first.empty()) return {first};
  std::vector<std::string> out;
  for (std::size_t i = 0; has(names, str("context.", i)); ++i) out.push_back(str("context.", i));
  return out;
}

}  // namespace

std::unique_ptr<NamedArrays> open_safetensors(const std::filesystem::path& path) {
  return std::make_unique<Tensors>(path);
}

bool is_musubi_key(std::string_view name, std::string_view prefix, bool sized) {
  if (!name.starts_with(prefix)) return false;
  name.remove_prefix(prefix.size());
  if (sized) {
    const std::size_t size = name.find_first_not_of("0123456789x");
    if (size == 0 || size == std::string_view::npos || name[size] != '_') return false;
    if (std::count(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(size), 'x') != 2)
      return false;
    name.remove_prefix(size + 1);
  }
  return name == "bfloat16" || name == "float16" || name == "float32" || name == "float8_e4m3fn";
}

ArrayKeys find_keys(const std::vector<std::string>& names, const ArrayKeys& wanted,
                    const std::string& where) {
  ArrayKeys out;
  out.clip = pick(names, wanted.clip, kClipNames, where);
  if (out.clip.empty()) out.clip = pick_musubi(names, "latents_", true);
  if (out.clip.empty() && names.size() == 1) out.clip = names.front();
  if (out.clip.empty()) {
    throw InvalidArgument(str("[import] ", where, " has the arrays ", listed(names),
                              "; name the one that holds the clip: --latents NAME"));
  }
  out.context = pick(names, wanted.context, kContextNames, where);
  if (out.context.empty()) out.context = pick_musubi(names, "varlen_t5_", false);
  out.label = pick(names, wanted.label, kLabelNames, where);
  return out;
}

void read_named_arrays(const NamedArrays& file, const ArrayKeys& wanted, const std::string& where,
                       Item& item) {
  const std::vector<std::string> names = file.names();
  const ArrayKeys keys = find_keys(names, wanted, where);
  item.clip = file.read(keys.clip);
  if (!keys.label.empty()) item.label = file.read_label(keys.label);
  add_metadata_info(file.metadata(), where, item);
  if (!item.latent_space.empty()) item.layout = "CTHW";  // our own scripts wrote it
  const std::vector<std::string> contexts = context_names(names, keys.context);
  if (contexts.empty()) return;
  if (!item.captions.empty() && item.captions.size() != contexts.size()) {
    throw InvalidArgument(str("[import] ", where, " has ", item.captions.size(), " captions and ",
                              contexts.size(), " embeddings"));
  }
  item.captions.resize(contexts.size());
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    item.captions[i].embedding =
        token_rows(file.read(contexts[i]), str(where, ", array \"", contexts[i], "\""));
  }
}

}  // namespace eflow::io
