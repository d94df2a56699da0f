#pragma once
// Batches of clips, read ahead by background threads. The samples of a batch depend only on its
// step; the number of threads and the depth affect only how long the consumer waits. The next step
// is a loader's entire state.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/io/dataset/clip_source.hpp"
#include "eflow/io/dataset/order.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::io {

/// The clips of one step.
struct Batch {
  std::int64_t step = 0;
  Shape shape{};                       ///< [B, C, T, H, W]
  std::vector<float> clips{};          ///< B*C*T*H*W values, contiguous
  std::vector<std::int32_t> labels{};  ///< [B]
  std::vector<std::int64_t> ids{};     ///< [B]; indices in the source
  Shape context_shape{};               ///< [B, L, E]; rank 0 if the source has no context
  std::vector<float> context{};        ///< B*L*E values, contiguous
};

struct LoaderOptions {
  std::int64_t batch_size = 1;
  std::int64_t first_step = 0;  ///< counted in delivered batches
  /// Of every `every` consecutive batches, the loader delivers `take`, after the first `skip`: one
  /// rank's part of a step that is divided over ranks.
  std::int64_t every = 1, skip = 0, take = 1;
  /// Positions of the order that make up a delivered batch, of any number; replaces the fields
  /// above but first_step. Called by the readers. Empty: consecutive positions.
  std::function<std::vector<std::int64_t>(std::int64_t batch)> positions{};
  int threads = 1;  ///< background readers, >= 1
  int depth = 2;    ///< most batches in preparation or ready, >= 1; bounds the memory
};

/// Delivers, for step k, the samples at positions [n*B, (n+1)*B) of the order, where n is k, or
/// with `every` > 1 the k-th batch that is taken; or those that `positions` returns. For a single
/// consumer thread. The source is borrowed and must outlive the loader. The destructor waits for
/// reads in progress, then joins the reader threads.
class Loader {
 public:
  /// Starts the reader threads. Throws InvalidArgument if an option is out of range or the order
  /// does not cover exactly the samples of the source.
  Loader(const ClipSource& source, SampleOrder order, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Waits for the next batch and moves it into `batch`. The previous buffers of `batch` go back to
  /// the readers, so reuse one Batch across calls. Rethrows an exception that a reader threw for
  /// this step, and rethrows it on every later call.
  void next(Batch& batch);
  /// As next(), but returns false, with `batch` unchanged, if the next batch is not ready or a
  /// reader failed: next() then waits for it or throws.
  [[nodiscard]] bool try_next(Batch& batch);
  /// Returns the next batch in newly allocated memory.
  [[nodiscard]] Batch next();

  /// The step of the batch that next() delivers next.
  [[nodiscard]] std::int64_t next_step() const;
  /// Seconds that the last call of next() waited for the readers.
  [[nodiscard]] double last_wait_seconds() const;
  /// Seconds that all calls of next() have waited in total.
  [[nodiscard]] double total_wait_seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::io

EFLOW_EXPORT_END
