#include "eflow/trainer/program/ranks/world.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/comm/mpi_channel.hpp"
#include "eflow/jit/host/thread_pool.hpp"
#include "eflow/trainer/config/exit_code.hpp"
#include "eflow/trainer/run/run_directory.hpp"

namespace eflow::program {
namespace {

/// A job that was started with ranks per machine gives each its part of the processors and a GPU of
/// its own, unless the environment says otherwise.
void divide_machine() {
  const comm::LocalRank local = comm::local_rank();
  const int threads = std::max(1, jit::available_threads() / std::max(1, local.size));
  setenv("EFLOW_THREADS", std::to_string(threads).c_str(), 0);
  const char* device = std::getenv("EFLOW_DEVICE");
  if (device != nullptr && std::string(device) == "cuda")
    setenv("EFLOW_DEVICE", ("cuda:" + std::to_string(local.rank)).c_str(), 1);
}

void redirect_to(const std::filesystem::path& file) {
  const int log = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (log < 0) throw_errno("open", file.string());
  std::fflush(stdout);
  for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(log, stream) < 0) throw_errno("redirect", file.string());
  }
  ::close(log);
}

/// Time for the other ranks to say what they saw before the job ends.
constexpr std::chrono::milliseconds kGrace{1000};

}  // namespace

World::World(double deadline_seconds, std::function<bool()> stop) : stop_(std::move(stop)) {
  if (comm::launched_ranks() == 1) return;
  divide_machine();
  terminal_ = ::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
  ranks_ = std::make_unique<comm::Communicator>(
      comm::connect_mpi(),
      std::chrono::milliseconds(static_cast<std::int64_t>(1000 * deadline_seconds)));
}

World::~World() = default;

void World::log_to(const std::filesystem::path& folder) {
  if (!ranks_) return;
  trainer::make_directories(folder);
  const std::string suffix = str(".rank-", ranks_->rank(), ".txt");
  ranks_->on_failure = [this, file = folder / ("collectives" + suffix)](const std::string& report) {
    print_on_terminal(report.substr(0, report.find('\n')));
    write_file_atomically(file, report);
  };
  ranks_->interrupted = stop_;
  ranks_->on_interruption = [this](const std::string& situation) { print_on_terminal(situation); };
  if (!ranks_->is_first()) redirect_to(folder / ("log" + suffix));
}

void World::print_on_terminal(const std::string& line) const {
  const std::string text = "eflow: " + line + "\n";
  static_cast<void>(!::write(terminal_, text.data(), text.size()));
}

int World::guard(const std::function<int()>& body) {
  if (!ranks_) return body();
  try {
    return body();
  } catch (const comm::PeerError& error) {
    std::fprintf(stderr, "eflow: %s\n", error.what());
    std::fflush(nullptr);
    std::this_thread::sleep_for(kGrace);
    comm::abort_job(trainer::kExitPeer);
  } catch (const std::exception& error) {
    ranks_->leave(error.what());
    if (!ranks_->is_first()) print_on_terminal(error.what());
    comm::abandon_mpi();  // to end it in order, the others would have to be here too
    throw;
  }
}

}  // namespace eflow::program
