#pragma once
// Ranks that are threads of one process: for tests, and for running the schedule of many ranks on
// one machine.

#include <chrono>
#include <functional>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// Calls body(communicator) on `count` threads at once, one for each rank, and returns when all
/// have ended. If some throw, the others' waits fail, and the first exception that is not a
/// PeerError is rethrown, or else the first.
void run_ranks(int count, const std::function<void(Communicator&)>& body,
               std::chrono::milliseconds deadline = Communicator::kDefaultDeadline);

}  // namespace eflow::comm

EFLOW_EXPORT_END
