#include "eflow/trainer/step/step_clips.hpp"

#include "eflow/core/tensor/device.hpp"
#include "eflow/trainer/data/data_sets.hpp"

namespace eflow::trainer {
namespace {

std::vector<double> shares_of(const std::vector<StepShare>& others) {
  std::vector<double> shares;
  for (const StepShare& other : others) shares.push_back(other.share);
  return shares;
}

}  // namespace

StepClips::StepClips(const io::ClipSource* source, const TrainerOptions& options,
                     const comm::ShardRange& own)
    : batch_(options.batch),
      units_(own.count() * options.accumulation),
      unit_size_(options.batch / (options.shards * options.accumulation)),
      before_(own.first * options.accumulation),
      seed_(options.seed),
      mix_(shares_of(options.others), options.batch, options.seed) {
  streams_.push_back({.source = source});
  for (const StepShare& other : options.others) streams_.push_back({.source = other.source});
}

std::vector<soflow::Batch> StepClips::next(std::int64_t step, std::int64_t i,
                                           std::vector<std::int64_t>* ids) {
  const std::int64_t unit = step * units_ + i;
  std::vector<soflow::Batch> parts;
  for (std::size_t j = 0; j < streams_.size(); ++j) {
    Stream& stream = streams_[j];
    if (!stream.loader) {
      stream.null_context = read_null_context(*stream.source);
      stream.loader = open_loader(j, unit);
    }
    const std::unique_ptr<Clips> clips =
        stream.ahead ? std::move(stream.ahead) : upload(stream.loader->next());
    const io::Batch& host = clips->host;
    if (host.ids.empty()) continue;
    soflow::Batch part;
    part.x0 = clips->x0.wait();
    if (stream.source->class_count() > 0)
      part.labels.assign(host.labels.begin(), host.labels.end());
    if (host.context_shape.rank() > 0) part.context = clips->context.wait();
    part.null_context = stream.null_context;
    for (const std::int64_t place : part_of_unit(j, unit).places)
      part.indices.push_back(step * batch_ + place);
    ids->insert(ids->end(), host.ids.begin(), host.ids.end());
    parts.push_back(std::move(part));
  }
  return parts;
}

std::unique_ptr<io::Loader> StepClips::open_loader(std::size_t stream, std::int64_t unit) {
  const io::ClipSource& source = *streams_[stream].source;
  io::LoaderOptions reading{.first_step = unit};
  reading.positions = [this, stream](std::int64_t at) {
    return part_of_unit(stream, at).positions;
  };
  return std::make_unique<io::Loader>(source, io::SampleOrder(source.size(), seed_), reading);
}

BatchMix::Part StepClips::part_of_unit(std::size_t stream, std::int64_t unit) const {
  return mix_.part(stream, unit / units_, (before_ + unit % units_) * unit_size_, unit_size_);
}

std::unique_ptr<StepClips::Clips> StepClips::upload(io::Batch batch) {
  auto clips = std::make_unique<Clips>();
  if (!batch.ids.empty()) clips->x0 = Upload(batch.clips, batch.shape);
  if (!batch.context.empty()) clips->context = Upload(batch.context, batch.context_shape);
  batch.clips = {};
  batch.context = {};
  clips->host = std::move(batch);
  return clips;
}

void StepClips::upload_ahead() {
  if (default_device()->on_host()) return;  // a copy would only take memory
  for (Stream& stream : streams_) {
    io::Batch batch;
    if (stream.loader && !stream.ahead && stream.loader->try_next(batch))
      stream.ahead = upload(std::move(batch));
  }
}

void StepClips::restart() {
  for (Stream& stream : streams_) {
    stream.loader.reset();
    stream.ahead.reset();
  }
}

std::vector<StepClip> StepClips::of_step(std::int64_t step) const {
  std::vector<StepClip> clips;
  for (std::size_t j = 0; j < streams_.size(); ++j) {
    const io::SampleOrder order(streams_[j].source->size(), seed_);
    for (const std::int64_t at : mix_.part(j, step, 0, batch_).positions)
      clips.push_back({j, order.index_at(at), order.draw_at(at)});
  }
  return clips;
}

std::vector<std::pair<Shape, std::int64_t>> StepClips::shapes_of(std::int64_t step) const {
  std::vector<std::pair<Shape, std::int64_t>> clips;
  for (std::size_t j = 0; j < streams_.size(); ++j) {
    const std::int64_t count = mix_.count(j, step);
    if (count > 0) clips.emplace_back(streams_[j].source->clip_shape(), count);
  }
  return clips;
}

}  // namespace eflow::trainer
