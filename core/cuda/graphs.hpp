#pragma once
// Runs the work of a stream as CUDA graphs. While gathering, work is recorded instead of issued,
// until the host needs a result or there is enough for the device to begin. A sequence of work that
// was seen before then runs as one graph, which is kept: of a later sequence of the same structure
// only the parameters that differ (addresses, random keys, the learning rate) are given to the
// driver. If a library product differs, whose kernels only the library knows, the sequence is
// captured again and updates the kept graph as a whole. A sequence that is seen for the first time
// is issued without a graph.

#include <functional>
#include <map>
#include <memory>

#include "eflow/core/cuda/recorded_work.hpp"
#include "eflow/jit/cuda/context.hpp"

namespace eflow::detail {

/// Threads: one at a time. stream must outlive it.
class CudaGraphs {
 public:
  /// Most sequences that are kept. Beyond it the least recently used one is released, so that
  /// changing shapes do not accumulate.
  static constexpr std::size_t kMostKept = 64;
  /// Most pieces of work in a graph: the device runs one while the host records the next.
  static constexpr std::size_t kMostWork = 256;
  /// Sequences of one structure are kept apart by their place since begin(), up to this one: the
  /// layers and micro-batches of a step differ in addresses, and those of the next step do not.
  static constexpr std::uint64_t kMostPlaces = 32;
  /// Issues a library product to the stream.
  using Multiply = std::function<void(const LibraryProduct&, jit::CuStream)>;

  CudaGraphs(std::shared_ptr<const jit::CudaContext> context, jit::CuStream stream,
             Multiply multiply);
  ~CudaGraphs();
  CudaGraphs(const CudaGraphs&) = delete;
  CudaGraphs& operator=(const CudaGraphs&) = delete;

  /// Starts gathering.
  void begin();
  /// Whether work must be recorded.
  [[nodiscard]] bool gathering() const { return gathering_; }
  /// Where it is recorded; call added() after each piece.
  [[nodiscard]] RecordedWork& record() { return record_; }
  /// Runs the recorded work if there is enough for a graph, and returns whether there was. Throws
  /// what flush() throws.
  bool added() {
    if (record_.size() < kMostWork) return false;
    flush();
    return true;
  }
  /// Stops gathering and runs the recorded work. Throws DeviceError.
  void end();
  /// Runs the recorded work. Must be called before the host waits and before other work is issued
  /// to the stream. Throws DeviceError; the recorded work is then discarded.
  void flush();
  /// Discards the recorded work, after a failure, and stops gathering.
  void abandon() noexcept;

  /// What flush() has done so far.
  struct Counts {
    long long issued = 0;      ///< sequences issued without a graph
    long long made = 0;        ///< graphs instantiated
    long long updated = 0;     ///< graphs updated as a whole from another capture
    long long parameters = 0;  ///< nodes whose parameters were changed
    long long launched = 0;    ///< launches of graphs
    long long evicted = 0;     ///< sequences released because of kMostKept
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  /// Number of sequences kept now.
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }

 private:
  struct Graph;
  struct Executable;
  /// A sequence that was run. The graph is made when it comes again.
  struct Kept {
    RecordedWork work;  ///< as the executable graph has it
    std::unique_ptr<Graph> graph;
    std::unique_ptr<Executable> executable;
    std::uint64_t used = 0;
  };

  void run();
  void remember(std::uint64_t key);
  void issue(const Work& work);
  [[nodiscard]] std::unique_ptr<Graph> capture();
  [[nodiscard]] jit::CuGraphNode last_node() const;
  void make(Kept& kept, std::unique_ptr<Graph> graph);
  void change(Kept& kept);
  [[nodiscard]] bool set_parameters(const Kept& kept);
  [[nodiscard]] jit::CuResult set(const Kept& kept, std::size_t i) const;

  std::shared_ptr<const jit::CudaContext> context_;
  jit::CuStream stream_;
  Multiply multiply_;
  bool gathering_ = false;
  RecordedWork record_;
  std::uint64_t place_ = 0;             // of the recorded sequence since begin()
  std::map<std::uint64_t, Kept> kept_;  // by signature and place
  std::uint64_t uses_ = 0;
  Counts counts_;
};

}  // namespace eflow::detail
