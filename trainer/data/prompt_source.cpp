#include "eflow/trainer/data/prompt_source.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/arrays/text_table.hpp"
#include "eflow/io/dataset/dataset.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/data_sets.hpp"

namespace eflow::trainer {
namespace {

/// The clip of a caption, and its number among the clip's captions.
using Place = std::pair<std::int64_t, std::int64_t>;

}  // namespace

struct PromptSource::Rep {
  std::filesystem::path path;
  std::int64_t length = 0, width = 0;  ///< of the model's contexts
  std::optional<io::TextTable> table;
  std::unique_ptr<io::Dataset> set;
  std::vector<std::string> captions;
  std::vector<Place> places;  ///< clip of each caption, and its number among the clip's

  void open_table(const DataInfo& info);
  void open_set(const DataInfo& info);
  void require_fit(std::int64_t found_width, std::int64_t longest) const;
  void warn_of_encoder(const std::string& name, const std::string& hash,
                       const TextInfo& text) const;
  /// Copies an embedding and adds zero rows. Throws InvalidArgument if it is too long.
  void place(std::span<const float> values, std::span<float> context) const;
  void read(std::int64_t i, std::span<float> context) const;
};

void PromptSource::Rep::require_fit(std::int64_t found_width, std::int64_t longest) const {
  if (found_width != width) {
    throw InvalidArgument(str("--prompts ", path.string(), ": embeddings of width ", found_width,
                              ", but the model takes text of width ", width,
                              "; encode the captions with the model's text encoder"));
  }
  if (longest > length) {
    throw InvalidArgument(str("--prompts ", path.string(), ": a caption has ", longest,
                              " tokens, but the model was trained with at most ", length,
                              "; shorten the caption"));
  }
}

void PromptSource::Rep::warn_of_encoder(const std::string& name, const std::string& hash,
                                        const TextInfo& text) const {
  const bool other_name = !name.empty() && !text.encoder.empty() && name != text.encoder;
  const bool other_hash = !hash.empty() && !text.encoder_hash.empty() && hash != text.encoder_hash;
  if (!other_name && !other_hash) return;
  log_warning("--prompts ", path.string(), ": encoded by ", name, " ", hash,
              ", but the model was trained with text of ", text.encoder, " ", text.encoder_hash,
              "; samples will not show what the captions say");
}

void PromptSource::Rep::open_table(const DataInfo& info) {
  table.emplace(path);
  require_fit(table->width(), table->longest());
  warn_of_encoder(table->encoder(), table->encoder_hash(), info.text);
  for (std::int64_t i = 0; i < table->size(); ++i) {
    captions.push_back(table->caption(i));
    places.emplace_back(i, 0);
  }
  const auto& clips = table->clip_captions();
  for (std::size_t clip = clips.size(); clip-- > 0;)  // the first clip of a caption wins
    for (const std::int64_t caption : clips[clip])
      places[static_cast<std::size_t>(caption)] = {static_cast<std::int64_t>(clip), 0};
}

void PromptSource::Rep::open_set(const DataInfo& info) {
  set = open_dataset(path);
  const auto& text = set->manifest().spec.text;
  if (!text) {
    throw InvalidArgument(str("--prompts ", path.string(),
                              ": the data set has no captions; name one that was packed with "
                              "--text, or a file of scripts/python/encode_captions.py"));
  }
  require_fit(text->width, 0);
  try {
    set->set_context_length(length);
  } catch (const InvalidArgument& error) {
    throw InvalidArgument(str("--prompts ", path.string(), ": ", error.what()));
  }
  warn_of_encoder(text->encoder, text->encoder_hash, info.text);
  const auto all = set->read_captions();
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = 0; k < all[i].size(); ++k) {
      captions.push_back(all[i][k]);
      places.emplace_back(static_cast<std::int64_t>(i), static_cast<std::int64_t>(k));
    }
  }
}

void PromptSource::Rep::place(std::span<const float> values, std::span<float> context) const {
  require_fit(width, static_cast<std::int64_t>(values.size()) / width);
  std::fill(std::copy(values.begin(), values.end(), context.begin()), context.end(), 0.0f);
}

void PromptSource::Rep::read(std::int64_t i, std::span<float> context) const {
  if (table) return place(table->read(i), context);
  const auto [clip, k] = places.at(static_cast<std::size_t>(i));
  set->read_context(clip, static_cast<std::uint64_t>(k), context);
}

PromptSource::PromptSource(const std::filesystem::path& path, const DataInfo& info)
    : rep_(std::make_unique<Rep>()) {
  if (info.clips.context_dim == 0)
    throw InvalidArgument("--prompts needs a model that takes text; this run's model takes none");
  if (!std::filesystem::exists(path))
    throw DataError(str("--prompts ", path.string(), ": no such file or folder"));
  rep_->path = path;
  rep_->length = info.text.length;
  rep_->width = info.clips.context_dim;
  std::filesystem::is_directory(path) ? rep_->open_set(info) : rep_->open_table(info);
}

PromptSource::~PromptSource() = default;

std::int64_t PromptSource::size() const {
  return static_cast<std::int64_t>(rep_->captions.size());
}

const std::string& PromptSource::caption(std::int64_t i) const {
  return rep_->captions.at(static_cast<std::size_t>(i));
}

std::int64_t PromptSource::find(const std::string& caption) const {
  const auto& all = rep_->captions;
  const auto found = std::find(all.begin(), all.end(), caption);
  if (found != all.end()) return found - all.begin();
  throw InvalidArgument(str("--prompts ", rep_->path.string(), " has no caption '", caption,
                            "'; its ", all.size(), " captions begin with '", all.front(),
                            "'; encode new ones with scripts/python/encode_captions.py"));
}

std::int64_t PromptSource::clip_of(std::int64_t caption) const {
  return rep_->places.at(static_cast<std::size_t>(caption)).first;
}

Tensor PromptSource::contexts(const std::vector<std::int64_t>& captions) const {
  const auto size = static_cast<std::size_t>(rep_->length * rep_->width);
  std::vector<float> values(captions.size() * size);
  for (std::size_t i = 0; i < captions.size(); ++i)
    rep_->read(captions[i], std::span(values).subspan(i * size, size));
  return Tensor::from(values,
                      {static_cast<std::int64_t>(captions.size()), rep_->length, rep_->width});
}

Tensor PromptSource::negative(const std::string& name) const {
  std::vector<float> context(static_cast<std::size_t>(rep_->length * rep_->width));
  std::vector<std::string> names;
  if (rep_->table) {
    names = rep_->table->prompt_names();
  } else {
    for (const io::Prompt& prompt : rep_->set->prompts()) names.push_back(prompt.name);
  }
  const auto& all = rep_->captions;
  if (std::find(names.begin(), names.end(), name) != names.end()) {
    const std::vector<float> values = rep_->table
                                          ? rep_->table->read_prompt(name)
                                          : io::find_prompt(rep_->set->prompts(), name)->values;
    rep_->place(values, context);
  } else if (const auto found = std::find(all.begin(), all.end(), name); found != all.end()) {
    rep_->read(found - all.begin(), context);
  } else {
    std::string known;
    for (const std::string& other : names) known += str(known.empty() ? "" : ", ", other);
    throw InvalidArgument(str("--negative '", name, "': ", rep_->path.string(),
                              " has no such prompt or caption; its named prompts are ",
                              known.empty() ? "none" : known));
  }
  return Tensor::from(context, {rep_->length, rep_->width});
}

}  // namespace eflow::trainer
