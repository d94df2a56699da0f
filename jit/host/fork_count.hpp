#pragma once
// Detects that the process was forked. Owners of threads or GPU contexts compare the count with the
// one at their construction: in a child, neither exists. Cheaper than getpid().

namespace eflow::jit {

/// A count that increases in the child of every fork(). The first call registers a pthread_atfork
/// handler.
[[nodiscard]] unsigned fork_count();

}  // namespace eflow::jit
