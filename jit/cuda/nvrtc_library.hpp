#pragma once
// The NVRTC functions in use, declared here so that no CUDA header is needed. Internal to jit.

#include <cstddef>
#include <optional>
#include <string>

namespace eflow::jit {

using NvrtcProgram = struct NvrtcProgramTag*;

struct NvrtcLibrary {
  std::string path;
  int major = 0, minor = 0;

  int (*version)(int*, int*);
  const char* (*error_string)(int);
  int (*create)(NvrtcProgram*, const char* source, const char* name, int headers,
                const char* const* texts, const char* const* names);
  int (*destroy)(NvrtcProgram*);
  int (*compile)(NvrtcProgram, int options, const char* const*);
  int (*log_size)(NvrtcProgram, std::size_t*);
  int (*log)(NvrtcProgram, char*);
  int (*cubin_size)(NvrtcProgram, std::size_t*);
  int (*cubin)(NvrtcProgram, char*);
  int (*ptx_size)(NvrtcProgram, std::size_t*);
  int (*ptx)(NvrtcProgram, char*);
  /// The callback returns 1 to cancel the compile. Null in versions without it.
  int (*set_flow_callback)(NvrtcProgram, int (*callback)(void* payload, void*), void* payload);
};

/// Opens NVRTC for the life of the process. Returns nullopt and sets `why` if there is none.
[[nodiscard]] std::optional<NvrtcLibrary> open_nvrtc(const std::string& named, std::string& why);

}  // namespace eflow::jit
