#pragma once
// How often this process's ancestors and itself were forked off since jit was first used: what started threads or a GPU
// compares it to see that it now runs in a child, where neither exists. Cheaper than asking for the process id.

namespace eflow::jit {

/// Changes in the child of every fork(). The first call registers with pthread_atfork.
[[nodiscard]] unsigned fork_count();

}  // namespace eflow::jit
