#pragma once
// Stream: an ordered queue of work on a device. The CPU has none: there a launch returns when it is done.

namespace eflow::jit {

/// Stream{} is the device's default one; on a GPU `handle` is a CUstream of the device's primary context.
struct Stream {
  void* handle = nullptr;
};

}  // namespace eflow::jit
