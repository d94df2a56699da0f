#pragma once
// Measures messages between ranks: the terms of the scaling model (docs/scaling.md).

#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/communicator.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::trainer {

/// One operation of one size; the time is the slowest rank's, the best of several rounds.
struct CommRow {
  const char* operation = "";
  std::size_t bytes = 0;  ///< that a rank sends
  double seconds = 0;
};

struct CommBench {
  int ranks = 1;
  std::vector<CommRow> rows = {};
  /// Time of an exchange of 8 bytes with a neighbour.
  [[nodiscard]] double latency_s() const;
  /// Of the largest exchange, per rank and direction.
  [[nodiscard]] double bytes_per_s() const;
};

/// All ranks call it, at least two; all get the same result. largest: bytes of the largest message.
[[nodiscard]] CommBench measure_comm(comm::Communicator* ranks, std::size_t largest);

}  // namespace eflow::trainer

EFLOW_EXPORT_END
