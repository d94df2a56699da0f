#pragma once
// Batches of clips, read ahead by background threads. Which samples a batch has depends on its step
// alone: threads and depth change only how long the consumer waits. The whole state of a loader is
// the next step.

#include <cstdint>
#include <memory>
#include <vector>

#include "eflow/io/clip_source.hpp"
#include "eflow/io/order.hpp"

namespace eflow::io {

struct Batch {
  std::int64_t step = 0;
  Shape shape;                       ///< [B, C, T, H, W]
  std::vector<float> clips;          ///< B*C*T*H*W, contiguous
  std::vector<std::int32_t> labels;  ///< [B]
  std::vector<std::int64_t> ids;     ///< [B] indices in the source
};

struct LoaderOptions {
  std::int64_t batch_size = 1;
  std::int64_t first_step = 0;
  int threads = 1;  ///< background readers, >= 1
  int depth = 2;    ///< finished or started batches held at most, >= 1; bounds the memory
};

/// Delivers, for step k, the samples at positions [k*B, (k+1)*B) of the order. One consumer thread.
/// The source must outlive the loader. Destruction stops and joins the readers, whatever they do.
class Loader {
 public:
  /// Throws InvalidArgument for sizes below 1 or an order that is not over the source's size.
  Loader(const ClipSource& source, SampleOrder order, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// The next batch. `batch` gives its memory back to the readers, so keep one and pass it again.
  /// What a reader threw for this step is thrown here, and again by any later call.
  void next(Batch& batch);
  [[nodiscard]] Batch next();

  /// The step that next() delivers next.
  [[nodiscard]] std::int64_t next_step() const;
  /// Seconds the last next() waited for the readers, and all of them together.
  [[nodiscard]] double last_wait_seconds() const;
  [[nodiscard]] double total_wait_seconds() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace eflow::io
