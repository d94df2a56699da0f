#pragma once
// A named stretch of work on a device: in its trace, and for NVIDIA's profilers.

#include "eflow/core/device.hpp"
#include "eflow/core/trace.hpp"
#include "eflow/jit/nvtx.hpp"

namespace eflow {

/// While it lives. `name` is a literal.
class TraceRange {
 public:
  TraceRange(const Device& device, const char* name)
      : trace_(device.trace()), gpu_(!device.on_host()) {
    if (trace_ != nullptr) trace_->begin(name);
    if (gpu_) jit::nvtx_push(name);
  }
  ~TraceRange() {
    if (gpu_) jit::nvtx_pop();
    if (trace_ != nullptr) trace_->end();
  }
  TraceRange(const TraceRange&) = delete;
  TraceRange& operator=(const TraceRange&) = delete;

 private:
  Trace* trace_;
  bool gpu_;
};

}  // namespace eflow
