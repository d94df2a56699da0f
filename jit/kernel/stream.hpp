#pragma once
// Stream: an ordered queue of work on a device. The CPU has none; a launch there returns when it is
// done.

namespace eflow::jit {

/// Not owning. Stream{} is the device's default stream; on a GPU, `handle` is a CUstream of the
/// device's primary context.
struct Stream {
  void* handle = nullptr;
};

}  // namespace eflow::jit
