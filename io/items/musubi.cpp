#include "eflow/io/items/musubi.hpp"

#include <algorithm>

#include "eflow/io/items/array_bytes.hpp"

namespace eflow::io {
namespace {

constexpr std::string_view kText = "_wan_te.safetensors";
constexpr std::string_view kLatent = "_wan.safetensors";
constexpr std::int64_t kWanChannels = 16;

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// Whether `text` is two numbers with `between` in the middle: "00012-081", "0832x0480".
bool is_pair(std::string_view text, char between) {
  const std::size_t at = text.find(between);
  return at != std::string_view::npos && is_digits(text.substr(0, at)) &&
         is_digits(text.substr(at + 1));
}

/// Cuts the last field off, which an underscore begins, if it is a pair of numbers.
bool cut_pair(std::string& name, char between) {
  const std::size_t at = name.rfind('_');
  if (at == std::string::npos || !is_pair(std::string_view(name).substr(at + 1), between))
    return false;
  name.resize(at);
  return true;
}

}  // namespace

bool is_musubi_text(const std::filesystem::path& path) {
  return path.filename().string().ends_with(kText);
}

bool is_musubi_latent(const NamedArrays& file) {
  const auto names = file.names();
  return std::any_of(names.begin(), names.end(),
                     [](const std::string& name) { return is_musubi_key(name, "latents_", true); });
}

std::filesystem::path musubi_text_of(const std::filesystem::path& latent) {
  std::string base = latent.filename().string();
  if (base.ends_with(kLatent)) base.resize(base.size() - kLatent.size());
  if (cut_pair(base, 'x')) cut_pair(base, '-');  // size; then, of a video, first frame and frames
  return latent.parent_path() / (base + std::string(kText));
}

void add_musubi_info(const NamedArrays& latent, const std::filesystem::path& path, Item& item) {
  const auto metadata = latent.metadata();
  const auto value = [&](const std::map<std::string, std::string>& map, const char* key) {
    const auto found = map.find(key);
    return found == map.end() ? std::string() : found->second;
  };
  const std::string architecture = value(metadata, "architecture");
  if (architecture != "wan" || item.clip.shape.rank() != 4 || item.clip.shape[0] != kWanChannels) {
    throw InvalidArgument(str("[import] ", path.string(), " is a cache of architecture \"",
                              architecture, "\", ", item.clip.shape,
                              "; only Wan 2.1 is known: architecture wan, 16 channels"));
  }
  item.layout = "CTHW";
  item.normalised = Normalised::kYes;
  item.latent_space = "wan2.1";
  const std::string frames = value(metadata, "frame_count");
  if (is_digits(frames) && frames.size() < 10) item.frames = std::stoll(frames);
  const std::filesystem::path text_path = musubi_text_of(path);
  if (!std::filesystem::exists(text_path)) return;
  const auto text = open_safetensors(text_path);
  for (const std::string& name : text->names()) {
    if (!is_musubi_key(name, "varlen_t5_", false)) continue;
    const std::string where = str(text_path.string(), ", array \"", name, "\"");
    item.captions = {{value(text->metadata(), "caption1"), token_rows(text->read(name), where)}};
  }
}

}  // namespace eflow::io
