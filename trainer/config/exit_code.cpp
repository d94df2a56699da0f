#include "eflow/trainer/config/exit_code.hpp"

#include <filesystem>
#include <new>

#include "eflow/core/comm/communicator.hpp"

namespace eflow::trainer {
namespace {

template <class Kind>
bool is(const std::exception& error) {
  return dynamic_cast<const Kind*>(&error) != nullptr;
}

}  // namespace

ExitCode exit_code_of(const std::exception& error) {
  if (is<InvalidArgument>(error)) return kExitUsage;
  if (is<DataError>(error) || is<CorruptData>(error)) return kExitData;
  if (is<CheckpointError>(error)) return kExitCheckpoint;
  if (is<DeviceError>(error) || is<CompileError>(error) || is<std::bad_alloc>(error))
    return kExitDevice;
  if (is<NumericError>(error)) return kExitNumeric;
  if (is<comm::PeerError>(error)) return kExitPeer;
  if (is<IoError>(error) || is<std::filesystem::filesystem_error>(error)) return kExitIo;
  return kExitInternal;
}

}  // namespace eflow::trainer
