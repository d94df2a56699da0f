#include "eflow/core/comm/mpi_channel.hpp"

#include "eflow/core/base/error.hpp"

#if EFLOW_MPI

#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <mpi.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace eflow::comm {
namespace {

bool g_abandoned = false;

void check(int result, const char* what) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(result, text, &length);
  throw Error(str("[mpi] ", what, ": ", text));
}

/// A message in pieces, because MPI counts in int.
class MpiRequest final : public Request {
 public:
  static constexpr std::size_t kPiece = std::size_t{1} << 30;

  explicit MpiRequest(std::vector<MPI_Request> pieces) : pieces_(std::move(pieces)) {}
  bool done() override {
    if (pieces_.empty()) return true;
    int flag = 0;
    check(MPI_Testall(static_cast<int>(pieces_.size()), pieces_.data(), &flag, MPI_STATUSES_IGNORE),
          "test");
    if (flag != 0) pieces_.clear();
    return flag != 0;
  }

 private:
  std::vector<MPI_Request> pieces_;
};

/// Calls start(offset, count, request) for each piece of a message.
template <class Start>
std::unique_ptr<Request> in_pieces(std::size_t bytes, const Start& start) {
  std::vector<MPI_Request> pieces;
  std::size_t offset = 0;
  do {
    const std::size_t count = std::min(MpiRequest::kPiece, bytes - offset);
    start(offset, static_cast<int>(count), &pieces.emplace_back());
    offset += count;
  } while (offset < bytes);
  return std::make_unique<MpiRequest>(std::move(pieces));
}

class MpiChannel final : public Channel {
 public:
  MpiChannel() {
    int given = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &given), "start");
    check(MPI_Comm_dup(MPI_COMM_WORLD, &world_), "duplicate the world");
    check(MPI_Comm_set_errhandler(world_, MPI_ERRORS_RETURN), "set the error handler");
    check(MPI_Comm_rank(world_, &rank_), "rank");
    check(MPI_Comm_size(world_, &size_), "size");
  }
  ~MpiChannel() override {
    if (g_abandoned) return;
    MPI_Comm_free(&world_);
    MPI_Finalize();
  }
  MpiChannel(const MpiChannel&) = delete;
  MpiChannel& operator=(const MpiChannel&) = delete;

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] std::string place() const override {
    char name[MPI_MAX_PROCESSOR_NAME] = {};
    int length = 0;
    MPI_Get_processor_name(name, &length);
    return str(name, ", process ", ::getpid());
  }

  std::unique_ptr<Request> send(int to, int tag, std::span<const std::byte> bytes) override {
    return in_pieces(bytes.size(), [&](std::size_t offset, int count, MPI_Request* request) {
      check(MPI_Isend(bytes.data() + offset, count, MPI_BYTE, to, tag, world_, request), "send");
    });
  }
  std::unique_ptr<Request> receive(int from, int tag, std::span<std::byte> bytes) override {
    return in_pieces(bytes.size(), [&](std::size_t offset, int count, MPI_Request* request) {
      check(MPI_Irecv(bytes.data() + offset, count, MPI_BYTE, from, tag, world_, request),
            "receive");
    });
  }

  void rest(int polls) override {
    if (polls < 100) {
      ::sched_yield();
    } else {  // give the processor to whoever is late: it may run on the same core
      std::this_thread::sleep_for(std::chrono::microseconds(std::min(polls, 1000)));
    }
  }

 private:
  MPI_Comm world_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1;
};

}  // namespace

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string version(text, static_cast<std::size_t>(length));
  return version.substr(0, version.find_first_of(",\n"));
}

std::unique_ptr<Channel> connect_mpi() {
  return std::make_unique<MpiChannel>();
}

void abandon_mpi() noexcept {
  g_abandoned = true;
}

void abort_job(int exit_code) {
  int running = 0;
  MPI_Initialized(&running);
  if (running != 0) MPI_Abort(MPI_COMM_WORLD, exit_code);
  ::_exit(exit_code);
}

}  // namespace eflow::comm

#else

#include <unistd.h>

namespace eflow::comm {

std::string mpi_version() {
  return "";
}

std::unique_ptr<Channel> connect_mpi() {
  throw InvalidArgument(
      str("[mpi] this process is one of ", launched_ranks(),
          " ranks, but eflow was built without MPI; install an MPI (Debian: libopenmpi-dev), "
          "configure with -DEFLOW_MPI=ON and build again"));
}

void abandon_mpi() noexcept {}

void abort_job(int exit_code) {
  ::_exit(exit_code);
}

}  // namespace eflow::comm

#endif
