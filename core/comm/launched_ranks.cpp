// What the environment says about the ranks of this job; needs no MPI.

#include <cstdlib>

#include "eflow/core/comm/mpi_channel.hpp"

namespace eflow::comm {
namespace {

/// The first of these variables that is a number, or `otherwise`.
int number_in(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') continue;
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (*end == '\0' && value >= 0) return static_cast<int>(value);
  }
  return otherwise;
}

}  // namespace

int launched_ranks() {
  // Slurm sets SLURM_NTASKS in batch scripts too, where nothing has been started yet: SLURM_STEP_ID
  // and PMI's variables belong to srun's processes.
  const int slurm = std::getenv("PMIX_RANK") != nullptr && std::getenv("SLURM_STEP_ID") != nullptr
                        ? number_in({"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}, 1)
                        : 1;
  return number_in({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, slurm);
}

LocalRank local_rank() {
  return {number_in({"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}, 0),
          number_in({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"}, 1)};
}

}  // namespace eflow::comm
