#include "eflow/trainer/ranks/device_messages.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>

#include "eflow/core/cuda/nccl_link.hpp"
#include "eflow/core/tensor/device.hpp"
#include "eflow/jit/cuda/context.hpp"
#include "eflow/jit/runtime.hpp"

namespace eflow::trainer {
namespace {

/// Which GPU this is, among all machines: "node7, 0000:3b:00.0"; "" for a CPU.
std::string identity_of(const DevicePtr& device) {
  if (device->on_host()) return "";
  char host[256] = {}, bus[64] = {};
  static_cast<void>(::gethostname(host, sizeof host - 1));
  const auto context = device->runtime().cuda_context();
  context->check(context->api().device_bus(bus, sizeof bus - 1, context->handle()),
                 "cuDeviceGetPCIBusId", "the GPU of a rank");
  return str(host, ", ", bus);
}

/// "" if all differ; otherwise which two ranks share a GPU.
std::string shared_gpu(const std::vector<std::string>& identities,
                       const comm::Communicator& ranks) {
  std::map<std::string, int> first;
  for (std::size_t r = 0; r < identities.size(); ++r) {
    const auto [known, is_new] = first.emplace(identities[r], static_cast<int>(r));
    if (is_new || identities[r].empty()) continue;
    return str(ranks.name_of(known->second), " and ", ranks.name_of(static_cast<int>(r)),
               " share a GPU (", identities[r], "), which NCCL does not allow");
  }
  return "";
}

}  // namespace

std::string connect_devices(comm::Communicator* ranks, const DevicePtr& device) {
  if (ranks->size() == 1) return "";
  if (ranks->device_link() != nullptr) return "";  // by an earlier stage of this run
  const auto identities = ranks->gather(identity_of(device), {"GPUs of the ranks"});
  if (std::all_of(identities.begin(), identities.end(), [](auto& one) { return one.empty(); }))
    return "";
  std::string why = shared_gpu(identities, *ranks);
  if (why.empty()) {
    why = comm::why_no_nccl(ranks, device);
    const std::string& named = device->runtime().options().nccl_library;
    if (!why.empty() && !named.empty() && named != "off")
      throw InvalidArgument(str("[ranks] EFLOW_NCCL=", named, ": ", why,
                                "; name a library that all ranks have, or set EFLOW_NCCL=off to "
                                "exchange data through host memory"));
  }
  if (!why.empty()) return str("messages between GPUs pass through host memory: ", why);
  ranks->set_device_link(comm::connect_nccl(ranks, device));
  return str("messages between GPUs: ", ranks->device_link()->name());
}

}  // namespace eflow::trainer
