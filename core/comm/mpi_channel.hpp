#pragma once
// Ranks that mpirun or srun started, connected by MPI. mpi_channel.cpp is the only file that knows
// MPI; in a build without it, these functions say so.

#include <memory>
#include <string>

#include "eflow/core/base/export.hpp"
#include "eflow/core/comm/channel.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::comm {

/// How many ranks the launcher of this process says that there are, from the environment of Open
/// MPI, MPICH or Slurm; 1 without a launcher.
[[nodiscard]] int launched_ranks();
/// Of those, the number on this machine, and this one's number among them; 1 and 0 if unknown.
struct LocalRank {
  int rank = 0, size = 1;
};
[[nodiscard]] LocalRank local_rank();

/// Version of the MPI that this build uses, "" without one.
[[nodiscard]] std::string mpi_version();

/// Starts MPI and connects to the other ranks of MPI_COMM_WORLD. Once per process; the channel ends
/// MPI when it is destroyed, unless abandon_mpi() was called. Throws InvalidArgument in a build
/// without MPI, saying how to get one with it.
[[nodiscard]] std::unique_ptr<Channel> connect_mpi();

/// After a failure: ends all ranks of the job, including those that are stopped or hang, with this
/// exit code, through the launcher. Does not return. Without MPI, ends this process.
[[noreturn]] void abort_job(int exit_code);
/// After a failure: leaves MPI running at the end of the process, because to end it means to wait
/// for all ranks.
void abandon_mpi() noexcept;

}  // namespace eflow::comm

EFLOW_EXPORT_END
