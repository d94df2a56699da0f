#pragma once
// A named range of work on a device: appears in its trace and, as an NVTX range, in NVIDIA's
// profilers.

#include "eflow/core/base/export.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/core/tensor/trace.hpp"
#include "eflow/jit/cuda/nvtx.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow {

/// Opens the range on construction and closes it on destruction. `name` must outlive it; use a
/// literal. Must not outlive `device`.
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

EFLOW_EXPORT_END
