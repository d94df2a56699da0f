// A library for LD_PRELOAD that stands between a program and the C library's calls on files. It
// counts them, lets the n-th call of a kind fail or kills the process there, and writes a log of
// everything that changes files, from which scripts/reliability/power_loss.py rebuilds what a power cut may
// leave. Settings come from the environment, so that children have them too:
//
//   EFLOW_FAULT_UNDER   only files below this absolute path count
//   EFLOW_FAULT_STATE   file of the counters (struct State), shared by all processes
//   EFLOW_FAULT_CALL    the call that fails: one of kCallNames
//   EFLOW_FAULT_AT      which one of them, from 1; every later one works again
//   EFLOW_FAULT_ERRNO   errno of the failure; 0: SIGKILL instead
//   EFLOW_FAULT_LOG     file that the log is appended to (struct Record)
//
// mmap counts if it maps a file, and fork everywhere. Nothing here allocates memory.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

enum Call {
  kOpen,
  kRead,
  kPread,
  kWrite,
  kFsync,
  kRename,
  kClose,
  kMkdir,
  kUnlink,
  kFlock,
  kMmap,
  kFork,
  kCalls
};
constexpr const char* kCallNames[kCalls] = {"open",  "read",  "pread",  "write", "fsync", "rename",
                                            "close", "mkdir", "unlink", "flock", "mmap",  "fork"};
constexpr std::size_t kPath = 1024;

/// The file of EFLOW_FAULT_STATE.
struct State {
  std::atomic<std::uint64_t> counts[kCalls];
  std::uint64_t struck;  ///< 1 once the fault was made
  char path[kPath];      ///< of the file that it struck
};

/// One entry of the log, followed by the two paths and the data.
struct Record {
  char kind[8];  ///< create, write, cut, fsync, syncdir, rename, exchange, mkdir, unlink, rmdir
  std::uint64_t inode;           ///< of a file or folder
  std::int64_t offset;           ///< of a write; the new size of a cut
  std::uint32_t path, to, data;  ///< bytes that follow
  std::uint32_t zero;
};

template <class F>
F real(const char* name) {
  return reinterpret_cast<F>(::dlsym(RTLD_NEXT, name));
}
#define EFLOW_REAL(name) static const auto next = real<decltype(&::name)>(#name)

class Shim {
 public:
  Shim() {
    under_ = ::getenv("EFLOW_FAULT_UNDER");
    const char* state = ::getenv("EFLOW_FAULT_STATE");
    if (state != nullptr) map(state);
    const char* call = ::getenv("EFLOW_FAULT_CALL");
    const char* at = ::getenv("EFLOW_FAULT_AT");
    const char* code = ::getenv("EFLOW_FAULT_ERRNO");
    for (int i = 0; call != nullptr && i < kCalls; ++i) {
      if (std::strcmp(call, kCallNames[i]) == 0) call_ = i;
    }
    at_ = at != nullptr ? std::strtoull(at, nullptr, 10) : 0;
    errno_ = code != nullptr ? std::atoi(code) : 0;
    if (const char* log = ::getenv("EFLOW_FAULT_LOG")) {
      log_ = static_cast<int>(
          ::syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    }
  }

  /// Counts a call on `path`. Returns whether it must fail; errno is then set.
  bool strikes(Call call, const char* path) {
    if (state_ == nullptr || !counts(call, path)) return false;
    const std::uint64_t number = state_->counts[call].fetch_add(1) + 1;
    if (call != call_ || number != at_) return false;
    state_->struck = 1;
    if (path != nullptr) ::memccpy(state_->path, path, 0, kPath - 1);
    if (errno_ == 0) {
      ::syscall(SYS_kill, ::syscall(SYS_getpid), SIGKILL);
      while (true) ::syscall(SYS_pause);
    }
    errno = errno_;
    return true;
  }

  [[nodiscard]] bool logs(const char* path) const {
    return log_ >= 0 && path != nullptr && is_under(path);
  }

  void record(const char* kind, const char* path, const char* to, std::uint64_t inode,
              std::int64_t offset, const void* data, std::size_t bytes) {
    Record head{};
    std::memcpy(head.kind, kind, std::strlen(kind));
    head.inode = inode;
    head.offset = offset;
    head.path = static_cast<std::uint32_t>(path != nullptr ? std::strlen(path) : 0);
    head.to = static_cast<std::uint32_t>(to != nullptr ? std::strlen(to) : 0);
    head.data = static_cast<std::uint32_t>(bytes);
    const iovec parts[] = {{&head, sizeof head},
                           {const_cast<char*>(path), head.path},
                           {const_cast<char*>(to), head.to},
                           {const_cast<void*>(data), bytes}};
    ::syscall(SYS_writev, log_, parts, 4);  // O_APPEND: one entry is never mixed with another
  }

  void lock() {
    if (log_ >= 0) ::pthread_mutex_lock(&mutex_);
  }
  void unlock() {
    if (log_ >= 0) ::pthread_mutex_unlock(&mutex_);
  }

 private:
  void map(const char* path) {
    const int file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0));
    if (file < 0) return;
    void* memory = reinterpret_cast<void*>(
        ::syscall(SYS_mmap, nullptr, sizeof(State), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    ::syscall(SYS_close, file);
    if (memory != MAP_FAILED) state_ = static_cast<State*>(memory);
  }
  [[nodiscard]] bool is_under(const char* path) const {
    if (under_ == nullptr) return false;
    const std::size_t size = std::strlen(under_);
    return std::strncmp(path, under_, size) == 0 && (path[size] == '/' || path[size] == 0);
  }
  [[nodiscard]] bool counts(Call call, const char* path) const {
    return call == kFork || (path != nullptr && is_under(path));
  }

  const char* under_ = nullptr;
  State* state_ = nullptr;
  int call_ = kCalls;
  std::uint64_t at_ = 0;
  int errno_ = 0;
  int log_ = -1;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

Shim& shim() {
  static Shim the_shim;
  return the_shim;
}

/// Holds the order of calls and entries of the log within a process.
struct Ordered {
  Ordered() { shim().lock(); }
  ~Ordered() { shim().unlock(); }
};

/// An absolute path in a buffer of its own.
class Path {
 public:
  /// Of a descriptor.
  explicit Path(int file) {
    char link[32];
    ::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    follow(link, 0);
  }
  /// Of a name in a folder.
  Path(int folder, const char* name) {
    std::size_t size = 0;
    if (name == nullptr) return;
    if (name[0] != '/') {
      char link[32];
      ::snprintf(link, sizeof link, folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d",
                 folder);
      follow(link, 1);
      size = std::strlen(text_);
      text_[size++] = '/';
    }
    ::memccpy(text_ + size, name, 0, kPath - size - 1);
  }
  [[nodiscard]] const char* get() const { return text_; }

 private:
  void follow(const char* link, std::size_t spare) {
    const long size = ::syscall(SYS_readlinkat, AT_FDCWD, link, text_, kPath - 1 - spare);
    text_[size > 0 ? size : 0] = 0;
  }
  char text_[kPath] = {};
};

std::uint64_t inode_of(int file) {
  struct stat info {};
  return ::fstat(file, &info) == 0 ? info.st_ino : 0;
}

/// What every form of open comes to.
template <class F>
int open_with(int folder, const char* name, int flags, const F& open) {
  const Path path(folder, name);
  if (shim().strikes(kOpen, path.get())) return -1;
  const bool writes = (flags & O_ACCMODE) != O_RDONLY;
  if (!writes || !shim().logs(path.get())) return open();
  const Ordered ordered;
  struct stat before {};
  const bool existed = ::fstatat(folder, name, &before, 0) == 0;
  const int file = open();
  if (file < 0) return file;
  const int saved = errno;
  if (!existed) shim().record("create", path.get(), nullptr, inode_of(file), 0, nullptr, 0);
  if (existed && (flags & O_TRUNC) != 0)
    shim().record("cut", path.get(), nullptr, inode_of(file), 0, nullptr, 0);
  errno = saved;
  return file;
}

/// What every form of write comes to. `offset`: -1 for the current position.
template <class F>
ssize_t write_with(int file, const void* from, off64_t offset, const F& write) {
  const Path path(file);
  if (shim().strikes(kWrite, path.get())) return -1;
  if (!shim().logs(path.get())) return write();
  const Ordered ordered;
  const bool appends = (::fcntl(file, F_GETFL) & O_APPEND) != 0;
  struct stat info {};
  static_cast<void>(::fstat(file, &info));
  if (offset < 0) offset = appends ? info.st_size : ::lseek(file, 0, SEEK_CUR);
  const ssize_t done = write();
  if (done <= 0) return done;
  const int saved = errno;
  shim().record("write", path.get(), nullptr, info.st_ino, offset, from,
                static_cast<std::size_t>(done));
  errno = saved;
  return done;
}

/// What every form of rename comes to.
template <class F>
int rename_with(int from_folder, const char* from, int to_folder, const char* to, bool exchange,
                const F& rename) {
  const Path source(from_folder, from), target(to_folder, to);
  if (shim().strikes(kRename, target.get())) return -1;
  if (!shim().logs(target.get())) return rename();
  const Ordered ordered;
  const int result = rename();
  if (result == 0)
    shim().record(exchange ? "exchange" : "rename", source.get(), target.get(), 0, 0, nullptr, 0);
  return result;
}

template <class F>
int sync_with(int file, const F& sync) {
  const Path path(file);
  if (shim().strikes(kFsync, path.get())) return -1;
  if (!shim().logs(path.get())) return sync();
  const Ordered ordered;
  const int result = sync();
  struct stat info {};
  if (result == 0 && ::fstat(file, &info) == 0)
    shim().record(S_ISDIR(info.st_mode) ? "syncdir" : "fsync", path.get(), nullptr, info.st_ino, 0,
                  nullptr, 0);
  return result;
}

template <class F>
int change_with(Call call, const char* kind, int folder, const char* name, const F& change) {
  const Path path(folder, name);
  if (shim().strikes(call, path.get())) return -1;
  if (!shim().logs(path.get())) return change();
  const Ordered ordered;
  const int result = change();
  if (result == 0) shim().record(kind, path.get(), nullptr, 0, 0, nullptr, 0);
  return result;
}

mode_t mode_of(int flags, va_list list) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(list, mode_t) : 0;
}

}  // namespace

// The calls of the C library, in both of their sizes where there are two.
extern "C" {

#define EFLOW_OPEN(name)                                                              \
  int name(const char* path, int flags, ...) {                                        \
    va_list list;                                                                     \
    va_start(list, flags);                                                            \
    const mode_t mode = mode_of(flags, list);                                         \
    va_end(list);                                                                     \
    EFLOW_REAL(name);                                                                 \
    return open_with(AT_FDCWD, path, flags, [&] { return next(path, flags, mode); }); \
  }
EFLOW_OPEN(open)
EFLOW_OPEN(open64)

#define EFLOW_OPENAT(name)                                                                  \
  int name(int folder, const char* path, int flags, ...) {                                  \
    va_list list;                                                                           \
    va_start(list, flags);                                                                  \
    const mode_t mode = mode_of(flags, list);                                               \
    va_end(list);                                                                           \
    EFLOW_REAL(name);                                                                       \
    return open_with(folder, path, flags, [&] { return next(folder, path, flags, mode); }); \
  }
EFLOW_OPENAT(openat)
EFLOW_OPENAT(openat64)

#define EFLOW_FOPEN(name)                                                                  \
  FILE* name(const char* path, const char* mode) {                                         \
    EFLOW_REAL(name);                                                                      \
    return shim().strikes(kOpen, Path(AT_FDCWD, path).get()) ? nullptr : next(path, mode); \
  }
EFLOW_FOPEN(fopen)
EFLOW_FOPEN(fopen64)

ssize_t read(int file, void* to, size_t bytes) {
  EFLOW_REAL(read);
  return shim().strikes(kRead, Path(file).get()) ? -1 : next(file, to, bytes);
}

#define EFLOW_PREAD(name, offset_type)                                                \
  ssize_t name(int file, void* to, size_t bytes, offset_type at) {                    \
    EFLOW_REAL(name);                                                                 \
    return shim().strikes(kPread, Path(file).get()) ? -1 : next(file, to, bytes, at); \
  }
EFLOW_PREAD(pread, off_t)
EFLOW_PREAD(pread64, off64_t)

ssize_t write(int file, const void* from, size_t bytes) {
  EFLOW_REAL(write);
  return write_with(file, from, -1, [&] { return next(file, from, bytes); });
}

#define EFLOW_PWRITE(name, offset_type)                                             \
  ssize_t name(int file, const void* from, size_t bytes, offset_type at) {          \
    EFLOW_REAL(name);                                                               \
    return write_with(file, from, at, [&] { return next(file, from, bytes, at); }); \
  }
EFLOW_PWRITE(pwrite, off_t)
EFLOW_PWRITE(pwrite64, off64_t)

#define EFLOW_TRUNCATE(name, offset_type)                                                         \
  int name(int file, offset_type size) noexcept {                                                 \
    EFLOW_REAL(name);                                                                             \
    const Path path(file);                                                                        \
    if (!shim().logs(path.get())) return next(file, size);                                        \
    const Ordered ordered;                                                                        \
    const int result = next(file, size);                                                          \
    if (result == 0) shim().record("cut", path.get(), nullptr, inode_of(file), size, nullptr, 0); \
    return result;                                                                                \
  }
EFLOW_TRUNCATE(ftruncate, off_t)
EFLOW_TRUNCATE(ftruncate64, off64_t)

int fsync(int file) {
  EFLOW_REAL(fsync);
  return sync_with(file, [&] { return next(file); });
}
int fdatasync(int file) {
  EFLOW_REAL(fdatasync);
  return sync_with(file, [&] { return next(file); });
}

int rename(const char* from, const char* to) noexcept {
  EFLOW_REAL(rename);
  return rename_with(AT_FDCWD, from, AT_FDCWD, to, false, [&] { return next(from, to); });
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  EFLOW_REAL(renameat2);
  return rename_with(from_folder, from, to_folder, to, (flags & RENAME_EXCHANGE) != 0,
                     [&] { return next(from_folder, from, to_folder, to, flags); });
}

int close(int file) {
  EFLOW_REAL(close);
  const bool fails = shim().strikes(kClose, Path(file).get());
  const int code = errno;
  const int result = next(file);  // also where it reports a failure, the file is closed
  if (!fails) return result;
  errno = code;
  return -1;
}

int mkdir(const char* path, mode_t mode) noexcept {
  EFLOW_REAL(mkdir);
  return change_with(kMkdir, "mkdir", AT_FDCWD, path, [&] { return next(path, mode); });
}
int mkdirat(int folder, const char* path, mode_t mode) noexcept {
  EFLOW_REAL(mkdirat);
  return change_with(kMkdir, "mkdir", folder, path, [&] { return next(folder, path, mode); });
}
int unlink(const char* path) noexcept {
  EFLOW_REAL(unlink);
  return change_with(kUnlink, "unlink", AT_FDCWD, path, [&] { return next(path); });
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  EFLOW_REAL(unlinkat);
  return change_with(kUnlink, (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink", folder, path,
                     [&] { return next(folder, path, flags); });
}
int rmdir(const char* path) noexcept {
  EFLOW_REAL(rmdir);
  return change_with(kUnlink, "rmdir", AT_FDCWD, path, [&] { return next(path); });
}
int remove(const char* path) noexcept {
  struct stat info {};
  const bool folder = ::lstat(path, &info) == 0 && S_ISDIR(info.st_mode);
  return folder ? ::rmdir(path) : ::unlink(path);
}

int flock(int file, int operation) noexcept {
  EFLOW_REAL(flock);
  return shim().strikes(kFlock, Path(file).get()) ? -1 : next(file, operation);
}

#define EFLOW_MMAP(name, offset_type)                                            \
  void* name(void* where, size_t bytes, int protection, int flags, int file,     \
             offset_type at) noexcept {                                          \
    EFLOW_REAL(name);                                                            \
    if (file >= 0 && shim().strikes(kMmap, Path(file).get())) return MAP_FAILED; \
    return next(where, bytes, protection, flags, file, at);                      \
  }
EFLOW_MMAP(mmap, off_t)
EFLOW_MMAP(mmap64, off64_t)

pid_t fork() noexcept {
  EFLOW_REAL(fork);
  return shim().strikes(kFork, nullptr) ? -1 : next();
}
int posix_spawn(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                const posix_spawnattr_t* attributes, char* const arguments[],
                char* const environment[]) {
  EFLOW_REAL(posix_spawn);
  return shim().strikes(kFork, nullptr)
             ? errno
             : next(pid, path, actions, attributes, arguments, environment);
}
int posix_spawnp(pid_t* pid, const char* path, const posix_spawn_file_actions_t* actions,
                 const posix_spawnattr_t* attributes, char* const arguments[],
                 char* const environment[]) {
  EFLOW_REAL(posix_spawnp);
  return shim().strikes(kFork, nullptr)
             ? errno
             : next(pid, path, actions, attributes, arguments, environment);
}

}  // extern "C"
