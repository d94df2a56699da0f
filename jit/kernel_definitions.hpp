#pragma once
// Which text a kernel's name stands for, and how its Spec becomes the C++ name of a specialisation. Built-in kernels are
// known; run-time specialised ones and users' own are added.

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "eflow/jit/config_space.hpp"
#include "eflow/jit/spec.hpp"

namespace eflow::jit {

/// A kernel by name and how it is specialised.
struct KernelRef {
  std::string name;
  Spec spec;
  KernelRef() = default;
  KernelRef(std::string kernel, const Spec& how) : name(std::move(kernel)), spec(how) {}
};

struct KernelDefinition {
  std::string name;  ///< what Spec was made with
  std::string text;  ///< path of the kernel text
  std::string
      expression;  ///< with $t0..$t3 for the Spec's dtypes and $c0..$c11 for its constants: "scale<$t0, $c0>"
  int threads = 256;  ///< of a block, on a GPU
  ConfigSpace space;  ///< what the tuner may choose
  /// Bytes of dynamic shared memory of a block, on a GPU; empty: none.
  std::function<std::int64_t(const Spec&)> shared_bytes;
  /// What stands before the text, with the same $t and $c: "#define ROWS $c2\n".
  std::string prologue = "";
};

/// What a compiler needs to know of one specialisation.
struct KernelSource {
  std::string text, expression;
  int threads = 256;
  std::int64_t shared_bytes = 0;
  std::string prologue = "";
};

/// Threads: all members may be called at once.
class KernelDefinitions {
 public:
  KernelDefinitions();
  /// Adding the same twice is fine. Throws InvalidArgument when the name is malformed or stands for something else.
  void add(const KernelDefinition& definition);

  /// Throws CompileError when there is no definition, or the Spec lacks what its expression asks for.
  [[nodiscard]] KernelSource source(const KernelRef& kernel) const;

  /// The config space of the kernel called `name`; an empty one when it has none.
  [[nodiscard]] ConfigSpace space(std::string_view name) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, KernelDefinition, std::less<>> added_;
};

/// "scale<f32, bf16>(3, 4)" or without one or both lists, as to_string(Spec) prints it. Throws InvalidArgument.
[[nodiscard]] KernelRef parse_kernel(std::string_view text);

}  // namespace eflow::jit
