#include "eflow/trainer/data/data_sets.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/io/dataset/order.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/data/exact_source.hpp"

namespace eflow::trainer {
namespace {

void require_same_format(const io::ClipSource& training, const io::ClipSource& held_out) {
  if (training.clip_shape() == held_out.clip_shape() &&
      training.class_count() == held_out.class_count())
    return;
  throw DataError(str("[data] data.eval: expected clips ", training.clip_shape(), " of ",
                      training.class_count(), " classes, as in data.dir; found ",
                      held_out.clip_shape(), " of ", held_out.class_count()));
}

void split(const DataConfig& config, DataSets* data) {
  const std::int64_t count = data->whole->size();
  const auto withheld =
      static_cast<std::int64_t>(std::ceil(config.eval_share * static_cast<double>(count)));
  if (withheld >= count) {
    throw DataError(str("[data] ", config.dir, ": cannot withhold ", withheld, " of ", count,
                        " clips; lower data.eval_share or use data.eval = none"));
  }
  data->training = std::make_unique<PartOfSource>(data->whole.get(), 0, count - withheld);
  data->held_out = std::make_unique<PartOfSource>(data->whole.get(), count - withheld, withheld);
}

/// Opens data->whole and returns its fingerprint.
std::string open_packed(const DataConfig& config, DataSets* data) {
  auto whole = open_dataset(config.dir);
  const std::string fingerprint = to_hex(hash64(io::to_json(whole->manifest())));
  data->whole = std::move(whole);
  return fingerprint;
}

/// As open_packed(), for an exactly known flow.
std::string open_exact(const ExactConfig& config, DataSets* data) {
  data->whole = std::make_unique<ExactSource>(config.flow);
  return str("exact ", name_of(config.flow.kind), " ", data->whole->clip_shape(), " ",
             config.flow.decay, " ", config.flow.own, " ", config.flow.spread, " ",
             config.flow.seed);
}

}  // namespace

Tensor read_contexts(const io::ClipSource& source, const std::vector<std::int64_t>& indices) {
  Shape shape = source.context_shape();
  if (shape.rank() == 0) return {};
  const auto size = static_cast<std::size_t>(element_count(shape));
  std::vector<float> values(indices.size() * size);
  for (std::size_t i = 0; i < indices.size(); ++i)
    source.read_context(indices[i], {values.data() + i * size, size});
  shape.insert(0, static_cast<std::int64_t>(indices.size()));
  return Tensor::from(values, shape);
}

std::unique_ptr<io::Dataset> open_dataset(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory / io::kManifestName)) {
    throw DataError(str("[data] ", directory.string(), ": not a data set: ", io::kManifestName,
                        " is missing; create one with 'eflow data pack' or 'eflow data synth'"));
  }
  return std::make_unique<io::Dataset>(directory);
}

DataSets open_data(const DataConfig& config) {
  const bool exact = config.exact.enabled;
  if (config.dir.empty() && !exact) throw InvalidArgument("data.dir is not set; pass --data DIR");
  DataSets data;
  const std::string fingerprint =
      exact ? open_exact(config.exact, &data) : open_packed(config, &data);
  if (config.eval == "split") {
    split(config, &data);
  } else {
    data.training = std::make_unique<PartOfSource>(data.whole.get(), 0, data.whole->size());
  }
  if (config.eval != "split" && config.eval != "none") {
    data.other = open_dataset(config.eval);
    require_same_format(*data.whole, *data.other);
    data.held_out = std::make_unique<PartOfSource>(data.other.get(), 0, data.other->size());
  }
  data.info = describe(*data.training);
  data.info.fingerprint = fingerprint;
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
  return table;
}

}  // namespace eflow::trainer
