#include "eflow/jit/cuda/nccl_api.hpp"

#include "eflow/core/base/error.hpp"
#include "eflow/jit/cuda/library.hpp"

namespace eflow::jit {
namespace {

bool bind_all(void* h, NcclApi& a) {
  return bind(h, "ncclGetVersion", a.get_version) && bind(h, "ncclGetUniqueId", a.get_unique_id) &&
         bind(h, "ncclCommInitRankConfig", a.comm_init) &&
         bind(h, "ncclCommFinalize", a.comm_finalize) &&
         bind(h, "ncclCommDestroy", a.comm_destroy) && bind(h, "ncclCommAbort", a.comm_abort) &&
         bind(h, "ncclCommGetAsyncError", a.comm_async_error) &&
         bind(h, "ncclGetErrorString", a.error_string) &&
         bind(h, "ncclGetLastError", a.last_error) && bind(h, "ncclGroupStart", a.group_start) &&
         bind(h, "ncclGroupEnd", a.group_end) && bind(h, "ncclSend", a.send) &&
         bind(h, "ncclRecv", a.receive);
}

}  // namespace

std::string NcclApi::version() const {
  int code = 0;
  if (const int result = get_version(&code); result != nccl::kSuccess)
    throw DeviceError(str("[nccl] ncclGetVersion: ", error_string(result)));
  return str(code / 10000, ".", code / 100 % 100, ".", code % 100);
}

std::optional<NcclApi> open_nccl(const std::string& library, std::string& why) {
  NcclApi api;
  const auto take = [&](void* handle, const std::string&) {
    int version = 0;
    return bind_all(handle, api) && api.get_version(&version) == nccl::kSuccess &&
           version >= nccl::kLeastVersion;
  };
  const CudaLibrary nccl{.title = "NCCL",
                         .name = "libnccl",
                         .variable = "EFLOW_NCCL",
                         .versions = {".2"},
                         .least = "2.14"};
  if (!open_cuda_library(nccl, library, take, why)) return std::nullopt;
  return api;
}

std::optional<NcclApi> find_nccl(const NcclApi* given, const std::string& library,
                                 std::string& why) {
  if (given != nullptr) return *given;
  if (library != "off") return open_nccl(library, why);
  why = "disabled by EFLOW_NCCL=off";
  return std::nullopt;
}

}  // namespace eflow::jit
