#pragma once
// NcclApi: the NCCL functions in use, as a table that is filled from the library at run time. The
// declarations are repeated here so that no header of NCCL is needed; tests supply fakes.

#include <cstddef>
#include <optional>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cuda/api.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

struct NcclComm_st;
using NcclComm = NcclComm_st*;
/// ncclUniqueId: what the ranks of a communicator find each other by.
struct NcclId {
  char bytes[128] = {};
};
/// The members of ncclConfig_t that NCCL 2.14 has; `version` tells later ones that there are no more.
struct NcclConfig {
  std::size_t size = sizeof(NcclConfig);
  unsigned magic = 0xcafebeef;
  unsigned version = 21400;
  int blocking = 0;
};

/// Values of NCCL's enumerators.
namespace nccl {
inline constexpr int kSuccess = 0, kInProgress = 7;  // ncclResult_t
inline constexpr int kUint8 = 1;                     // ncclDataType_t
/// The oldest version with communicators that do not block: 2.14.
inline constexpr int kLeastVersion = 21400;
}  // namespace nccl

/// Results are ncclResult_t; 0 is success.
struct NcclApi {
  int (*get_version)(int*) = nullptr;
  int (*get_unique_id)(NcclId*) = nullptr;
  int (*comm_init)(NcclComm*, int ranks, NcclId, int rank, NcclConfig*) = nullptr;
  int (*comm_finalize)(NcclComm) = nullptr;
  int (*comm_destroy)(NcclComm) = nullptr;
  int (*comm_abort)(NcclComm) = nullptr;
  int (*comm_async_error)(NcclComm, int* result) = nullptr;
  const char* (*error_string)(int result) = nullptr;
  const char* (*last_error)(NcclComm) = nullptr;
  int (*group_start)() = nullptr;
  int (*group_end)() = nullptr;
  int (*send)(const void*, std::size_t count, int type, int peer, NcclComm, CuStream) = nullptr;
  int (*receive)(void*, std::size_t count, int type, int peer, NcclComm, CuStream) = nullptr;

  /// "2.28.9". Throws DeviceError.
  [[nodiscard]] std::string version() const;
};

/// Opens `library` or, if empty, the newest NCCL found, for the life of the process. Returns nullopt
/// and sets `why` if none is usable.
[[nodiscard]] std::optional<NcclApi> open_nccl(const std::string& library, std::string& why);
/// Returns the table that the options select: an injected one, a library, or, for "off", none.
[[nodiscard]] std::optional<NcclApi> find_nccl(const NcclApi* given, const std::string& library,
                                               std::string& why);

}  // namespace eflow::jit

EFLOW_EXPORT_END
