#pragma once
// Stream: an ordered queue of work on a device. The CPU has none; a launch there returns when it is
// done.

namespace eflow::jit {

/// Not owning. On a GPU, `handle` is a CUstream of the device's primary context. Stream{} is the stream
/// that the Runtime works on: the context's default stream, unless Runtime::set_own_stream() named
/// another, as a core Device does. The context's default stream itself is handle 1, CU_STREAM_LEGACY.
struct Stream {
  void* handle = nullptr;
};

}  // namespace eflow::jit
