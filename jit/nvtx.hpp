#pragma once
// Ranges for NVIDIA's profilers, by the NVTX library where it is installed (libnvToolsExt); elsewhere they cost a test.

namespace eflow::jit {

/// `name` need not outlive the call. Ranges nest; each thread has its own.
void nvtx_push(const char* name);
void nvtx_pop();

}  // namespace eflow::jit
