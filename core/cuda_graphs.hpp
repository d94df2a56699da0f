#pragma once
// CUDA graphs without a second way to write a step: while gathering, what is issued to a stream is captured instead of run, up
// to the next point where the host needs a result, and then runs as one graph. The next step captures again, which costs the
// host a microsecond a launch, and updates the graph that it made of the same sequence before: whatever an argument holds
// (addresses, keys of random numbers, a learning rate), it is this step's.

#include <map>
#include <memory>

#include "eflow/jit/cuda_context.hpp"

namespace eflow::detail {

/// Threads: one at a time.
class CudaGraphs {
 public:
  CudaGraphs(std::shared_ptr<const jit::CudaContext> context, jit::CuStream stream);
  ~CudaGraphs();
  CudaGraphs(const CudaGraphs&) = delete;
  CudaGraphs& operator=(const CudaGraphs&) = delete;

  /// Gathers from here on.
  void begin() { gathering_ = true; }
  /// Runs what was gathered, and gathers no more. Throws DeviceError.
  void end();

  /// To be called before work is issued to the stream. `signature` tells kinds of work apart, not arguments. Throws DeviceError.
  void add(std::uint64_t signature);
  /// Runs what was gathered: before the host waits or allocates. Throws DeviceError.
  void flush();
  /// Forgets what was gathered, after a failure.
  void abandon() noexcept;
  [[nodiscard]] bool capturing() const { return capturing_; }

  /// Graphs made, as against updated.
  [[nodiscard]] long long made() const { return made_; }
  [[nodiscard]] long long launched() const { return launched_; }

 private:
  /// One sequence of work that can be run again.
  struct Executable;
  Executable& executable_for(std::uint64_t signature, jit::CuGraph graph);

  std::shared_ptr<const jit::CudaContext> context_;
  jit::CuStream stream_;
  bool gathering_ = false, capturing_ = false;
  std::uint64_t signature_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Executable>> executables_;  // by signature
  long long made_ = 0, launched_ = 0;
};

}  // namespace eflow::detail
