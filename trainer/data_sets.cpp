#include "eflow/trainer/data_sets.hpp"

#include <algorithm>
#include <cmath>

#include "eflow/base/error.hpp"
#include "eflow/base/hash.hpp"
#include "eflow/io/order.hpp"
#include "eflow/trainer/exit_code.hpp"

namespace eflow::trainer {
namespace {

void require_same_format(const io::ClipSource& training, const io::ClipSource& held_out) {
  if (training.clip_shape() == held_out.clip_shape() &&
      training.class_count() == held_out.class_count())
    return;
  throw DataError(str("[data] data.eval: expected clips ", training.clip_shape(), " of ",
                      training.class_count(), " classes as in data.dir, found ",
                      held_out.clip_shape(), " of ", held_out.class_count()));
}

void split(const DataConfig& config, DataSets* data) {
  const std::int64_t count = data->whole->size();
  const auto withheld =
      static_cast<std::int64_t>(std::ceil(config.eval_share * static_cast<double>(count)));
  if (withheld >= count) {
    throw DataError(str("[data] ", config.dir, ": ", count, " clips are too few to withhold ",
                        withheld, " of them; use data.eval = none"));
  }
  data->training = std::make_unique<PartOfSource>(data->whole.get(), 0, count - withheld);
  data->held_out = std::make_unique<PartOfSource>(data->whole.get(), count - withheld, withheld);
}

}  // namespace

std::unique_ptr<io::Dataset> open_dataset(const std::filesystem::path& directory) {
  if (!std::filesystem::exists(directory / io::kManifestName)) {
    throw DataError(str("[data] ", directory.string(), ": expected a data set, found no ",
                        io::kManifestName,
                        " there; 'eflow data pack' and 'eflow data synth' make one"));
  }
  return std::make_unique<io::Dataset>(directory);
}

DataSets open_data(const DataConfig& config) {
  if (config.dir.empty())
    throw InvalidArgument("data.dir: expected a folder (or --data DIR), found nothing");
  DataSets data;
  auto whole = open_dataset(config.dir);
  const std::string fingerprint = to_hex(hash64(io::manifest_text(whole->manifest())));
  data.whole = std::move(whole);
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
  for (std::int64_t i = 0; i < count; ++i) {
    const std::span<float> clip(table.values.data() + static_cast<std::size_t>(i) * values, values);
    table.labels.push_back(source.read(order.index_at(i), clip));
  }
  return table;
}

}  // namespace eflow::trainer
