#pragma once
// KernelDefinitions: maps a kernel's name to its text and to the C++ expression of a
// specialisation. Built-in kernels and the library's run-time specialised ones are predefined;
// users add their own.

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/config_space.hpp"
#include "eflow/jit/kernel/spec.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// How the specialisations of a kernel are compiled.
struct KernelDefinition {
  std::string name = "";  ///< name that Specs are made with
  std::string text = "";  ///< path of the kernel text
  /// The C++ name of a specialisation, with $t0..$t3 for the KernelSpec's dtypes and $c0..$c11 for its
  /// constants: "scale<$t0, $c0>".
  std::string expression = "";
  int threads = 256;       ///< threads per block on a GPU
  ConfigSpace space = {};  ///< configs that the tuner may choose from
  /// Dynamic shared memory per block on a GPU, in bytes; empty: none.
  std::function<std::int64_t(const KernelSpec&)> shared_bytes = {};
  /// Lines inserted before the text, with the same placeholders: "#define ROWS $c2\n".
  std::string prologue = "";
  /// Units of sm_90a (docs/kernels/hopper.md): products of tiles by warpgroups, and pipelines that load
  /// by bulk copies. "1", a constant such as "$c9" that is 0 or 1, or empty: no. Without effect on
  /// other targets.
  std::string warpgroups = "", bulk_copies = "";
};

/// One specialisation, as a compiler and the module loader need it.
struct KernelSource {
  std::string text = "", expression = "";
  int threads = 256;
  std::int64_t shared_bytes = 0;
  std::string prologue = "";
};

/// Threads: all members may be called concurrently.
class KernelDefinitions {
 public:
  /// Adds a definition; adding it twice has no effect. Throws InvalidArgument if the name is
  /// malformed or already has a different definition.
  void add(const KernelDefinition& definition);

  /// Resolves a kernel. Throws CompileError if it is not defined, or if its KernelSpec lacks a dtype that
  /// the expression uses.
  [[nodiscard]] KernelSource source(const KernelRef& kernel) const;

  /// All definitions that were added, by name.
  [[nodiscard]] std::vector<KernelDefinition> added() const;

  /// The config space of the kernel `name`; empty if it has none.
  [[nodiscard]] ConfigSpace space(std::string_view name) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, KernelDefinition, std::less<>> added_;
};

/// Parses "scale<f32, bf16>(3, 4)", the format of to_string(KernelSpec); either list may be omitted.
/// Throws InvalidArgument.
[[nodiscard]] KernelRef parse_kernel(std::string_view text);

}  // namespace eflow::jit

EFLOW_EXPORT_END
