#include "eflow/io/dataset/loader.hpp"

#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>
#include <utility>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/stopwatch.hpp"

namespace eflow::io {
namespace {

/// [batch_size, shape...]
Shape with_batch(std::int64_t batch_size, const Shape& shape) {
  Shape all{batch_size};
  for (const std::int64_t d : shape) all.push_back(d);
  return all;
}

/// The result of reading one step: a batch or an error.
struct Outcome {
  Batch batch;
  std::exception_ptr error;
};

}  // namespace

struct Loader::State {
  const ClipSource& source;
  const SampleOrder order;
  const LoaderOptions options;

  std::mutex mutex;
  std::condition_variable room, ready;
  bool stopping = false;
  std::int64_t next_to_read, next_to_deliver;
  std::map<std::int64_t, Outcome> finished;
  std::vector<Batch> spare;  // buffers returned by the consumer
  std::exception_ptr failure;
  double last_wait = 0, total_wait = 0;
  std::vector<std::thread> threads;

  State(const ClipSource& s, SampleOrder o, LoaderOptions opts);
  ~State();
  void start();
  void run();
  [[nodiscard]] std::vector<std::int64_t> positions_of(std::int64_t step) const;
  void fill(Batch& batch, std::int64_t step) const;
  [[nodiscard]] bool has_room() const { return next_to_read < next_to_deliver + options.depth; }
};

namespace {

void check(const ClipSource& source, const SampleOrder& order, const LoaderOptions& o) {
  if (o.batch_size < 1 || o.threads < 1 || o.depth < 1 || o.first_step < 0) {
    throw InvalidArgument(str("[loader] batch size ", o.batch_size, ", threads ", o.threads,
                              " and depth ", o.depth, " must be 1 or more, first step ",
                              o.first_step, " 0 or more"));
  }
  if (o.take < 1 || o.skip < 0 || o.skip + o.take > o.every) {
    throw InvalidArgument(
        str("[loader] cannot take ", o.take, " batches after ", o.skip, " of ", o.every));
  }
  if (order.count() != source.size()) {
    throw InvalidArgument(str("[loader] the order covers ", order.count(),
                              " samples, but the source has ", source.size()));
  }
}

}  // namespace

Loader::State::State(const ClipSource& s, SampleOrder o, LoaderOptions opts)
    : source(s),
      order(o),
      options(std::move(opts)),
      next_to_read(options.first_step),
      next_to_deliver(options.first_step) {}

void Loader::State::start() {
  for (int i = 0; i < options.threads; ++i) threads.emplace_back([this] { run(); });
}

Loader::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stopping = true;
  }
  room.notify_all();
  for (std::thread& thread : threads) thread.join();
}

void Loader::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    room.wait(lock, [this] { return stopping || has_room(); });
    if (stopping) return;
    const std::int64_t step = next_to_read++;
    Outcome outcome;
    if (!spare.empty()) {
      outcome.batch = std::move(spare.back());
      spare.pop_back();
    }
    lock.unlock();
    try {
      fill(outcome.batch, step);
    } catch (...) {
      outcome.error = std::current_exception();
    }
    lock.lock();
    finished.emplace(step, std::move(outcome));
    ready.notify_one();
  }
}

std::vector<std::int64_t> Loader::State::positions_of(std::int64_t step) const {
  const LoaderOptions& o = options;
  if (o.positions) return o.positions(step);
  const std::int64_t number = step / o.take * o.every + o.skip + step % o.take;
  std::vector<std::int64_t> positions(static_cast<std::size_t>(o.batch_size));
  std::iota(positions.begin(), positions.end(), number * o.batch_size);
  return positions;
}

void Loader::State::fill(Batch& batch, std::int64_t step) const {
  const std::vector<std::int64_t> positions = positions_of(step);
  const std::size_t size = positions.size();
  const auto count = static_cast<std::int64_t>(size);
  const auto per_clip = static_cast<std::size_t>(element_count(source.clip_shape()));
  batch.step = step;
  batch.shape = with_batch(count, source.clip_shape());
  batch.clips.resize(size * per_clip);
  batch.labels.resize(size);
  batch.ids.resize(size);
  const Shape context = source.context_shape();
  const std::size_t per_context =
      context.rank() == 0 ? 0 : static_cast<std::size_t>(element_count(context));
  batch.context_shape = context.rank() == 0 ? Shape{} : with_batch(count, context);
  batch.context.resize(size * per_context);
  for (std::size_t i = 0; i < size; ++i) {
    const std::int64_t id = batch.ids[i] = order.index_at(positions[i]);
    batch.labels[i] = source.read(id, std::span(batch.clips).subspan(i * per_clip, per_clip));
    if (per_context > 0) {
      source.read_context(id, order.draw_at(positions[i]),
                          std::span(batch.context).subspan(i * per_context, per_context));
    }
  }
}

Loader::Loader(const ClipSource& source, SampleOrder order, LoaderOptions options) {
  check(source, order, options);
  state_ = std::make_unique<State>(source, order, options);
  state_->start();  // outside State's constructor, so that ~State joins the threads if this throws
}

Loader::~Loader() = default;

void Loader::next(Batch& batch) {
  State& s = *state_;
  const Stopwatch watch;
  std::unique_lock lock(s.mutex);
  if (s.failure) std::rethrow_exception(s.failure);
  s.ready.wait(lock, [&s] { return s.finished.contains(s.next_to_deliver); });
  s.last_wait = watch.seconds();
  s.total_wait += s.last_wait;
  auto node = s.finished.extract(s.next_to_deliver);
  if (node.mapped().error) {
    s.failure = node.mapped().error;
    std::rethrow_exception(s.failure);
  }
  if (!batch.clips.empty()) s.spare.push_back(std::move(batch));
  batch = std::move(node.mapped().batch);
  ++s.next_to_deliver;
  s.room.notify_one();
}

bool Loader::try_next(Batch& batch) {
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->finished.find(state_->next_to_deliver);
    if (found == state_->finished.end() || found->second.error) return false;
  }
  next(batch);  // the only consumer is this thread
  return true;
}

Batch Loader::next() {
  Batch batch;
  next(batch);
  return batch;
}

std::int64_t Loader::next_step() const {
  const std::lock_guard lock(state_->mutex);
  return state_->next_to_deliver;
}

double Loader::last_wait_seconds() const {
  const std::lock_guard lock(state_->mutex);
  return state_->last_wait;
}

double Loader::total_wait_seconds() const {
  const std::lock_guard lock(state_->mutex);
  return state_->total_wait;
}

}  // namespace eflow::io
