#include "eflow/trainer/data/data_sets.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <numeric>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/dataset/order.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/exact_source.hpp"
#include "eflow/trainer/data/split.hpp"

namespace eflow::trainer {
namespace {

void require_same_format(const io::ClipSource& training, const io::ClipSource& held_out) {
  if (training.clip_shape() == held_out.clip_shape() &&
      training.class_count() == held_out.class_count() &&
      training.context_shape() == held_out.context_shape())
    return;
  const auto describe = [](const io::ClipSource& source) {
    return str("clips ", source.clip_shape(), " of ", source.class_count(), " classes, text ",
               source.context_shape());
  };
  throw DataError(str("[data] data.eval: expected ", describe(training), ", as in data.dir; found ",
                      describe(held_out),
                      "; name a data set packed in the same way (data.context_length sets the "
                      "length of the text)"));
}

/// The number of clips that data.eval_share withholds of `count`.
std::int64_t withheld_of(std::int64_t count, const DataConfig& config) {
  const auto withheld =
      static_cast<std::int64_t>(std::ceil(config.eval_share * static_cast<double>(count)));
  if (withheld < count) return withheld;
  throw DataError(str("[data] ", config.dir, ": cannot withhold ", withheld, " of ", count,
                      " clips; lower data.eval_share or use data.eval = none"));
}

/// The clips that the values 'split' and 'last' of data.eval, or any other, leave for training.
Split split_of(const io::Dataset& whole, const DataConfig& config) {
  Split parts;
  if (config.eval == "split") {
    parts = stratified_split(whole.labels(), whole.class_count(), config.eval_share);
    if (!parts.held_out.empty() && !parts.training.empty()) return parts;
    throw DataError(str("[data] ", config.dir, ": cannot withhold any of ", whole.size(),
                        " clips, because every class must keep one for training; use data.eval = "
                        "none, or name a folder of other clips"));
  }
  parts.training.resize(static_cast<std::size_t>(whole.size()));
  std::iota(parts.training.begin(), parts.training.end(), std::int64_t{0});
  if (config.eval == "last") {
    const auto first = parts.training.end() - withheld_of(whole.size(), config);
    parts.held_out.assign(first, parts.training.end());
    parts.training.erase(first, parts.training.end());
  }
  return parts;
}

std::vector<std::int32_t> labels_at(const io::Dataset& set,
                                    const std::vector<std::int64_t>& indices) {
  std::vector<std::int32_t> labels;
  for (const std::int64_t i : indices) labels.push_back(set.labels()[static_cast<std::size_t>(i)]);
  return labels;
}

/// Opens the training clips and, unless `other` holds them, the held-out clips of a data set.
void open_packed(const DataConfig& config, const io::Dataset* other, DataSets* data) {
  auto opened = open_dataset(config.dir, config.context_length);
  const io::Dataset& whole = *opened;
  data->whole = std::move(opened);
  if (other) require_same_format(whole, *other);
  Split parts = split_of(whole, config);
  const auto warn = [&](std::string text) {
    if (!text.empty()) data->warnings.push_back(std::move(text));
  };
  const std::int64_t classes = whole.class_count();
  warn(missing_classes(labels_at(whole, parts.training), classes, "training"));
  if (other) {
    warn(missing_classes(other->labels(), classes, "held-out"));
  } else if (!parts.held_out.empty()) {
    warn(missing_classes(labels_at(whole, parts.held_out), classes, "held-out"));
  }
  data->info.fingerprint = str(to_hex(hash64(io::to_json(whole.manifest()))),
                               config.eval == "split" ? kStratifiedMark : "");
  data->training_indices = parts.training;
  data->training = std::make_unique<ChosenFromSource>(&whole, std::move(parts.training));
  if (parts.held_out.empty()) return;
  data->held_out_indices = parts.held_out;
  data->held_out = std::make_unique<ChosenFromSource>(&whole, std::move(parts.held_out));
}

/// As open_packed(), for an exactly known flow. Its clips are drawn independently, so which of them
/// are withheld does not matter.
void open_exact(const DataConfig& config, DataSets* data) {
  const auto& flow = config.exact.flow;
  data->whole = std::make_unique<ExactSource>(flow);
  const std::int64_t count = data->whole->size();
  const bool own = config.eval == "split" || config.eval == "last";
  const std::int64_t withheld = own ? withheld_of(count, config) : 0;
  data->training = std::make_unique<PartOfSource>(data->whole.get(), 0, count - withheld);
  if (own)
    data->held_out = std::make_unique<PartOfSource>(data->whole.get(), count - withheld, withheld);
  data->info.fingerprint = str("exact ", name_of(flow.kind), " ", data->whole->clip_shape(), " ",
                               flow.decay, " ", flow.own, " ", flow.spread, " ", flow.seed);
}

/// Throws DataError if this is no data set, and IoError if that cannot be found out.
void require_manifest(const std::filesystem::path& directory) {
  const std::filesystem::path manifest = directory / io::kManifestName;
  std::error_code error;
  const bool found = std::filesystem::exists(manifest, error);
  if (error && error != std::errc::not_a_directory) {
    errno = error.value();
    throw_errno("look up", manifest.string());
  }
  if (found) return;
  const bool folder = std::filesystem::is_directory(directory, error);
  const bool there = std::filesystem::exists(directory, error);
  throw DataError(str("[data] ", directory.string(), ": not a data set: ",
                      folder  ? str(io::kManifestName, " is missing")
                      : there ? "expected a folder, found a file"
                              : "no such folder",
                      "; create one with 'eflow data pack' or 'eflow data synth'"));
}

}  // namespace

Tensor read_contexts(const io::ClipSource& source, const std::vector<std::int64_t>& indices) {
  Shape shape = source.context_shape();
  if (shape.rank() == 0) return {};
  const auto size = static_cast<std::size_t>(element_count(shape));
  std::vector<float> values(indices.size() * size);
  for (std::size_t i = 0; i < indices.size(); ++i)
    source.read_context(indices[i], 0, {values.data() + i * size, size});
  shape.insert(0, static_cast<std::int64_t>(indices.size()));
  return Tensor::from(values, shape);
}

Tensor read_null_context(const io::ClipSource& source) {
  const std::vector<float> values = null_context_values(source);
  return values.empty() ? Tensor() : Tensor::from(values, source.context_shape());
}

Tensor choose_contexts(const io::ClipSource& source, std::int64_t count) {
  constexpr std::uint64_t kSeed = 20260328;
  const io::SampleOrder order(source.size(), kSeed);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(order.index_at(i));
  return read_contexts(source, indices);
}

std::unique_ptr<io::Dataset> open_dataset(const std::filesystem::path& directory,
                                          std::int64_t context_length) {
  require_manifest(directory);
  auto set = std::make_unique<io::Dataset>(directory);
  if (context_length > 0) {
    try {
      set->set_context_length(context_length);
    } catch (const InvalidArgument& error) {
      throw InvalidArgument(str("data.context_length: ", error.what()));
    }
  }
  return set;
}

DataSets open_data(const DataConfig& config) {
  const bool exact = config.exact.enabled;
  if (config.dir.empty() && !exact) throw InvalidArgument("data.dir is not set; pass --data DIR");
  DataSets data;
  const io::Dataset* other = nullptr;
  if (config.eval != "split" && config.eval != "last" && config.eval != "none") {
    auto opened = open_dataset(config.eval, config.context_length);
    other = opened.get();
    data.other = std::move(opened);
    data.held_out = std::make_unique<PartOfSource>(other, 0, other->size());
    data.held_out_indices.resize(static_cast<std::size_t>(other->size()));
    std::iota(data.held_out_indices.begin(), data.held_out_indices.end(), std::int64_t{0});
  }
  if (exact) {
    open_exact(config, &data);
    if (other) require_same_format(*data.whole, *other);
  } else {
    open_packed(config, other, &data);
  }
  std::string fingerprint = std::move(data.info.fingerprint);
  data.info = describe(*data.whole);
  data.info.training_clips = data.training->size();
  data.info.fingerprint = std::move(fingerprint);
  return data;
}

ClipTable choose_clips(const io::ClipSource& source, std::int64_t count, std::uint64_t seed) {
  count = std::min(count, source.size());
  const io::SampleOrder order(source.size(), seed);
  ClipTable table;
  table.shape = source.clip_shape();
  const auto values = static_cast<std::size_t>(element_count(table.shape));
  table.shape.insert(0, count);
  table.values.resize(static_cast<std::size_t>(count) * values);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) {
    indices.push_back(order.index_at(i));
    const std::span<float> clip(table.values.data() + static_cast<std::size_t>(i) * values, values);
    table.labels.push_back(source.read(indices.back(), clip));
  }
  table.context = read_contexts(source, indices);
  table.null_context = read_null_context(source);
  return table;
}

}  // namespace eflow::trainer
