#pragma once
// How messages between the devices of a run's ranks travel: from GPU to GPU by NCCL, or through host
// memory.

#include <string>

#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/device_ptr.hpp"

namespace eflow::trainer {

/// Connects the ranks' GPUs by NCCL, if each has one of its own and the library is there. Returns a
/// line for people that says how messages travel, the same on all ranks; "" for CPUs and a single
/// rank. All ranks call it together. Throws InvalidArgument if EFLOW_NCCL names a library that a
/// rank cannot use, DeviceError, comm::PeerError.
[[nodiscard]] std::string connect_devices(comm::Communicator* ranks, const DevicePtr& device);

}  // namespace eflow::trainer
