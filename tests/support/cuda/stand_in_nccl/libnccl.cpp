// A stand-in for NCCL, as a shared library with NCCL's own symbols. Its ranks are threads of one process; messages are carried,
// through the copies of the driver that useDriver() names. It checks the rules of NCCL's user guide:
//   - "Communicators": an id comes from ncclGetUniqueId; every rank joins once; all say the same number of ranks; no call uses a
//     communicator that was destroyed or aborted.
//   - "Non-blocking communicators": while ncclCommGetAsyncError says ncclInProgress, no other call is made.
//   - "Group calls": sends and receives are in a group, which one thread opens and closes.
//   - "Point-to-point communication": the n-th receive from a rank meets its n-th send, and both have the same size and type.
//   - "CUDA stream semantics": a communicator keeps to one stream, which is not the legacy default stream.
//   - "CUDA graphs": no call while this thread or the stream captures. As NCCL may do, every group allocates pinned memory.
// A breach is noted for violations() and returns ncclInvalidUsage.

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "eflow/tests/support/cuda/stand_in_nccl/stand_in.hpp"

namespace {

using Result = int;
constexpr Result kSuccess = 0, kUnhandledCudaError = 1, kInvalidUsage = 5, kRemoteError = 6,
                 kInProgress = 7;
constexpr std::size_t kPinned = 4096;

struct Id {
  char bytes[128];
};
struct Config {
  std::size_t size;
  unsigned magic, version;
  int blocking;
};

using Message = std::vector<char>;

/// The ranks that share an id.
struct World {
  int ranks = 0;
  std::set<int> joined, aborted;
  std::map<std::pair<int, int>, std::deque<Message>> messages;  ///< by sender and receiver
};

struct Receive {
  void* to;
  std::size_t bytes;
  int from;
  eflow::jit::CuStream stream;
};

struct Communicator {
  std::shared_ptr<World> world;
  int rank = 0;
  bool in_progress = true, joining = true;
  eflow::jit::CuStream stream = nullptr;
  std::vector<Receive> receives;
};

struct Send {
  Communicator* comm;
  const void* from;
  std::size_t bytes;
  int to;
  eflow::jit::CuStream stream;
};

struct State {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<World>> worlds;  ///< by the bytes of their ids
  std::set<Communicator*> communicators;
  std::string violations;
  eflow::test::NcclCounts counts;
  eflow::jit::CudaApi driver;
  bool stuck = false;
  int ids = 0;
};
State& state() {
  static State* const s = new State;  // threads may call while the process ends
  return *s;
}

thread_local int open_groups = 0;
thread_local std::vector<Send> sends;
thread_local std::vector<std::pair<Communicator*, Receive>> receives;

/// The caller holds the mutex, here and below.
Result violation(const std::string& what) {
  state().violations += what + "\n";
  return kInvalidUsage;
}

Result check(Communicator* comm, const char* call) {
  if (state().communicators.count(comm) == 0)
    return violation(std::string(call) + " of a communicator that ended");
  if (comm->in_progress)
    return violation(std::string(call) + " while the communicator is in progress");
  return kSuccess;
}

Result check_message(Communicator* comm, int type, int peer, eflow::jit::CuStream stream,
                     const char* call) {
  if (const Result result = check(comm, call); result != kSuccess) return result;
  if (open_groups == 0) return violation(std::string(call) + " outside a group");
  if (type != 1) return violation(std::string(call) + " of a type other than bytes");
  if (peer < 0 || peer >= comm->world->ranks)
    return violation(std::string(call) + " with a rank that there is not");
  if (stream == nullptr) return violation(std::string(call) + " on the legacy default stream");
  if (comm->stream != nullptr && comm->stream != stream)
    return violation(std::string(call) + " on another stream than before");
  comm->stream = stream;
  int capturing = 0;
  const auto& driver = state().driver;
  if (driver.stream_capturing != nullptr &&
      (driver.stream_capturing(stream, &capturing) != 0 || capturing != 0))
    return violation(std::string(call) + " on a stream that is captured");
  return kSuccess;
}

/// Allocates what NCCL may allocate at any time.
Result allocate() {
  const auto& driver = state().driver;
  void* memory = nullptr;
  if (driver.allocate_pinned == nullptr) return kSuccess;
  if (driver.allocate_pinned(&memory, kPinned) != 0) {
    violation("pinned memory could not be allocated: the thread captures");
    return kUnhandledCudaError;
  }
  return driver.release_pinned(memory) == 0 ? kSuccess : kUnhandledCudaError;
}

Message read(const void* from, std::size_t bytes, eflow::jit::CuStream stream) {
  Message message(bytes);
  const auto& driver = state().driver;
  if (driver.copy_out != nullptr)
    static_cast<void>(driver.copy_out(message.data(), reinterpret_cast<eflow::jit::CuAddress>(from),
                                      bytes, stream));
  else
    std::memcpy(message.data(), from, bytes);
  return message;
}

void write(const Receive& receive, const Message& message) {
  const auto& driver = state().driver;
  if (driver.copy_in != nullptr)
    static_cast<void>(driver.copy_in(reinterpret_cast<eflow::jit::CuAddress>(receive.to),
                                     message.data(), message.size(), receive.stream));
  else
    std::memcpy(receive.to, message.data(), message.size());
}

/// Delivers what has arrived.
Result progress(Communicator* comm) {
  World& world = *comm->world;
  if (comm->joining) {
    if (static_cast<int>(world.joined.size()) < world.ranks) return kInProgress;
    comm->joining = false;
  }
  std::vector<Receive> left;
  for (const Receive& receive : comm->receives) {
    std::deque<Message>& queue = world.messages[{receive.from, comm->rank}];
    const bool earlier = [&] {
      for (const Receive& other : left) {
        if (other.from == receive.from) return true;
      }
      return false;
    }();
    if (queue.empty() || earlier) {
      if (world.aborted.count(receive.from) != 0) return kRemoteError;
      left.push_back(receive);
      continue;
    }
    if (queue.front().size() != receive.bytes) {
      return violation("a receive of " + std::to_string(receive.bytes) + " bytes met a send of " +
                       std::to_string(queue.front().size()));
    }
    write(receive, queue.front());
    queue.pop_front();
  }
  comm->receives = std::move(left);
  comm->in_progress = !comm->receives.empty();
  return comm->in_progress ? kInProgress : kSuccess;
}

void end(Communicator* comm) {
  state().communicators.erase(comm);
  delete comm;
}

}  // namespace

extern "C" {

void eflowNcclUseDriver(const eflow::jit::CudaApi* driver) {
  const std::lock_guard lock(state().mutex);
  state().driver = driver != nullptr ? *driver : eflow::jit::CudaApi{};
}
void eflowNcclStick(bool stuck) {
  const std::lock_guard lock(state().mutex);
  state().stuck = stuck;
}
eflow::test::NcclCounts eflowNcclCounts() {
  const std::lock_guard lock(state().mutex);
  eflow::test::NcclCounts counts = state().counts;
  counts.communicators = static_cast<int>(state().communicators.size());
  return counts;
}
const char* eflowNcclViolations() {
  const std::lock_guard lock(state().mutex);
  return state().violations.c_str();
}

Result ncclGetVersion(int* version) {
  return *version = 22809, kSuccess;
}
const char* ncclGetErrorString(Result result) {
  switch (result) {
    case kSuccess:
      return "no error";
    case kUnhandledCudaError:
      return "unhandled cuda error";
    case kInvalidUsage:
      return "invalid usage";
    case kRemoteError:
      return "remote process exited or there was a network error";
    default:
      return "unknown";
  }
}
const char* ncclGetLastError(Communicator*) {
  return "refused by the stand-in for NCCL";
}

Result ncclGetUniqueId(Id* id) {
  const std::lock_guard lock(state().mutex);
  std::memset(id->bytes, 0, sizeof id->bytes);
  std::strcpy(id->bytes, ("id " + std::to_string(++state().ids)).c_str());
  state().worlds[id->bytes] = std::make_shared<World>();
  return kSuccess;
}

Result ncclCommInitRankConfig(Communicator** comm, int ranks, Id id, int rank, Config* config) {
  const std::lock_guard lock(state().mutex);
  const auto found = state().worlds.find(id.bytes);
  if (found == state().worlds.end()) return violation("an id that no rank made");
  World& world = *found->second;
  if (config->magic != 0xcafebeef || config->version < 21400 || config->blocking != 0)
    return violation("a configuration that blocks or has no magic number");
  if (world.ranks != 0 && world.ranks != ranks)
    return violation("ranks that differ in their number");
  if (rank < 0 || rank >= ranks || !world.joined.insert(rank).second)
    return violation("a rank that joins twice or does not exist");
  world.ranks = ranks;
  *comm = new Communicator;
  (*comm)->world = found->second;
  (*comm)->rank = rank;
  state().communicators.insert(*comm);
  return kInProgress;
}

Result ncclCommGetAsyncError(Communicator* comm, Result* result) {
  const std::lock_guard lock(state().mutex);
  if (state().communicators.count(comm) == 0)
    return violation("ncclCommGetAsyncError of a communicator that ended");
  return *result = progress(comm), kSuccess;
}
Result ncclCommFinalize(Communicator* comm) {
  const std::lock_guard lock(state().mutex);
  return check(comm, "ncclCommFinalize");
}
Result ncclCommDestroy(Communicator* comm) {
  const std::lock_guard lock(state().mutex);
  const Result result = check(comm, "ncclCommDestroy");
  if (result == kSuccess) end(comm);
  return result;
}
Result ncclCommAbort(Communicator* comm) {
  const std::lock_guard lock(state().mutex);
  if (state().communicators.count(comm) == 0)
    return violation("ncclCommAbort of a communicator that ended");
  comm->world->aborted.insert(comm->rank);
  ++state().counts.aborts;
  end(comm);
  return kSuccess;
}

Result ncclGroupStart() {
  ++open_groups;
  return kSuccess;
}
Result ncclSend(const void* from, std::size_t count, int type, int peer, Communicator* comm,
                eflow::jit::CuStream stream) {
  const std::lock_guard lock(state().mutex);
  const Result result = check_message(comm, type, peer, stream, "ncclSend");
  if (result == kSuccess) sends.push_back({comm, from, count, peer, stream});
  return result;
}
Result ncclRecv(void* to, std::size_t count, int type, int peer, Communicator* comm,
                eflow::jit::CuStream stream) {
  const std::lock_guard lock(state().mutex);
  const Result result = check_message(comm, type, peer, stream, "ncclRecv");
  if (result == kSuccess) receives.push_back({comm, {to, count, peer, stream}});
  return result;
}
Result ncclGroupEnd() {
  const std::lock_guard lock(state().mutex);
  if (open_groups == 0) return violation("ncclGroupEnd without ncclGroupStart");
  if (--open_groups > 0) return kSuccess;
  const Result allocated = allocate();
  if (allocated == kSuccess) ++state().counts.groups;
  for (const Send& send : sends) {
    if (allocated != kSuccess || state().stuck) continue;
    ++state().counts.messages;
    state().counts.bytes += send.bytes;
    send.comm->world->messages[{send.comm->rank, send.to}].push_back(
        read(send.from, send.bytes, send.stream));
    send.comm->in_progress = true;
  }
  for (const auto& [comm, receive] : receives) {
    if (allocated != kSuccess || state().stuck) continue;
    comm->receives.push_back(receive);
    comm->in_progress = true;
  }
  sends.clear();
  receives.clear();
  return allocated == kSuccess ? kInProgress : allocated;
}

}  // extern "C"
