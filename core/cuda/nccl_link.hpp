#pragma once
// Messages between GPUs by NCCL, which is opened at run time. docs/distributed.md says what is
// tested, and how, without a GPU.

#include <memory>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"
#include "eflow/core/tensor/device_ptr.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// "" if every rank can use NCCL with its device, all with one version; otherwise which rank cannot,
/// and why. All ranks call it together and get the same answer. The library is the one that the
/// device's jit::Options name. Throws PeerError.
[[nodiscard]] std::string why_no_nccl(Communicator* ranks, const DevicePtr& device);

/// Connects the devices of all ranks; why_no_nccl() is "". Each rank has a GPU of its own; all call
/// it together. A thread of the link watches the device: if messages do not arrive within the
/// deadline, it aborts NCCL. Throws PeerError if the ranks do not connect within
/// ranks->deadline(), DeviceError if NCCL fails.
[[nodiscard]] std::unique_ptr<DeviceLink> connect_nccl(Communicator* ranks,
                                                       const DevicePtr& device);

}  // namespace eflow::comm

EFLOW_EXPORT_END
