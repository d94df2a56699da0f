#pragma once
// Runs ordinary stream work as CUDA graphs. While gathering, work issued to a stream is captured
// instead of run, until the host needs a result; then it runs as one graph. Every step is captured
// again, at about one microsecond of host time per launch, and updates the executable graph of the
// same sequence of work. So all arguments (addresses, random keys, the learning rate) are those of
// the current step.

#include <map>
#include <memory>

#include "eflow/jit/cuda/context.hpp"

namespace eflow::detail {

/// Threads: one at a time. stream must outlive it.
class CudaGraphs {
 public:
  CudaGraphs(std::shared_ptr<const jit::CudaContext> context, jit::CuStream stream);
  ~CudaGraphs();
  CudaGraphs(const CudaGraphs&) = delete;
  CudaGraphs& operator=(const CudaGraphs&) = delete;

  /// Starts gathering.
  void begin() { gathering_ = true; }
  /// Stops gathering and runs the gathered work. Throws DeviceError.
  void end();

  /// Must be called before each piece of work is issued to the stream; starts a capture if needed.
  /// `signature` identifies the kind of work, not its arguments. Throws DeviceError.
  void add(std::uint64_t signature);
  /// Runs the gathered work. Must be called before the host waits or allocates. Throws DeviceError.
  void flush();
  /// Discards the gathered work, after a failure, and stops gathering.
  void abandon() noexcept;
  /// Whether a capture is in progress.
  [[nodiscard]] bool capturing() const { return capturing_; }

  /// Number of executable graphs instantiated, not counting updates.
  [[nodiscard]] long long made() const { return made_; }
  /// Number of graph launches.
  [[nodiscard]] long long launched() const { return launched_; }

 private:
  /// An executable graph for one sequence of work.
  struct Executable;
  /// Returns the executable for the signature, updated to `graph` or instantiated from it.
  Executable& executable_for(std::uint64_t signature, jit::CuGraph graph);

  std::shared_ptr<const jit::CudaContext> context_;
  jit::CuStream stream_;
  bool gathering_ = false, capturing_ = false;
  std::uint64_t signature_ = 0;
  std::map<std::uint64_t, std::unique_ptr<Executable>> executables_;  // by signature
  long long made_ = 0, launched_ = 0;
};

}  // namespace eflow::detail
