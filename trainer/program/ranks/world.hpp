#pragma once
// World: the ranks of a training job that mpirun, srun or `eflow launch` started. Rank 0 owns the
// terminal; the others write to log.rank-r.txt in the folder of the run.

#include <filesystem>
#include <functional>
#include <memory>

#include "eflow/core/comm/communicator.hpp"

namespace eflow::program {

class World {
 public:
  /// Connects to the other ranks, if there are any; divides the machine's processors and GPUs among
  /// those on it. Call before anything uses a device. `stop`: whether this process was asked to stop;
  /// if it is, ranks that wait say for whom. Throws InvalidArgument in a build without MPI,
  /// PeerError.
  World(double deadline_seconds, std::function<bool()> stop);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// nullptr: one rank.
  [[nodiscard]] comm::Communicator* ranks() { return ranks_.get(); }
  [[nodiscard]] bool is_first() const { return !ranks_ || ranks_->is_first(); }

  /// From now on, what this rank prints goes to log.rank-r.txt in `folder`, unless it is rank 0;
  /// and a failure leaves its last collectives in collectives.rank-r.txt there. Throws IoError.
  void log_to(const std::filesystem::path& folder);

  /// Returns body(). If it fails because of another rank, prints the reason on the terminal and ends
  /// the whole job with exit code 7.
  int guard(const std::function<int()>& body);

 private:
  void print_on_terminal(const std::string& line) const;
  std::function<bool()> stop_;
  std::unique_ptr<comm::Communicator> ranks_;
  int terminal_ = 2;  ///< descriptor of the stderr that the process was started with
};

}  // namespace eflow::program
