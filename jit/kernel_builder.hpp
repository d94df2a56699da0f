#pragma once
// KernelBuilder: from a kernel's name and Spec to an artifact for a target, through packs, disk cache and compilers. It
// needs no device: artifacts for a GPU are built where there is none.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eflow/jit/artifact.hpp"
#include "eflow/jit/build_report.hpp"
#include "eflow/jit/disk_cache.hpp"
#include "eflow/jit/kernel_definitions.hpp"
#include "eflow/jit/options.hpp"
#include "eflow/jit/pack.hpp"

namespace eflow::jit {

struct Built {
  ArtifactPtr artifact;
  Origin origin = Origin::kCompiled;
};

/// Threads: all members may be called at once, but set_events before any build.
class KernelBuilder {
 public:
  explicit KernelBuilder(const Options& options);
  ~KernelBuilder();

  [[nodiscard]] KernelTexts& texts();
  [[nodiscard]] KernelDefinitions& definitions();

  /// What would be compiled. Without a compiler for the target its toolchain and options are empty. Throws CompileError
  /// when the kernel is not defined or its texts are not sound.
  [[nodiscard]] BuildRequest request(const KernelRef& kernel, const Target& target);

  /// Throws to refuse an artifact, for example because it cannot be loaded. A cached one is then quarantined and the
  /// request compiled, once.
  using Accept = std::function<void(const Artifact&)>;
  /// Packs, disk cache, compiler, in this order. Throws CompileError (texts, no compiler, JitMode::kForbid, time is up).
  [[nodiscard]] Built build(const BuildRequest& request, const CompileLimits& limits,
                            const Accept& accept = {});

  /// Looks once; later calls give the same answer.
  [[nodiscard]] const FoundCompiler& compiler(Backend backend);
  /// nullptr: memory only, for the reason in disk_why().
  [[nodiscard]] DiskCache* disk();
  [[nodiscard]] const std::string& disk_why();
  [[nodiscard]] const std::vector<std::unique_ptr<Pack>>& packs();

  void set_events(Events events);
  [[nodiscard]] Stats stats() const;
  void count_memory_hit();

 private:
  struct State;
  [[nodiscard]] Built find_cached(const Key& key, const std::string& bytes, const Accept& accept,
                                  std::string& why);
  [[nodiscard]] Built find_portable(const BuildRequest& request, const Accept& accept);
  [[nodiscard]] ArtifactPtr compile(const BuildRequest& request, const Key& key, std::string bytes,
                                    const CompileLimits& limits);
  std::unique_ptr<State> state_;
};

/// Writes what was compiled, as files to read: program, texts, options, log, image, one line that compiles it again, and the
/// request as it was (`eflow jit repro` takes it).
/// Returns the new directory below `parent`. Throws IoError.
std::filesystem::path dump_build(const std::filesystem::path& parent, const BuildRequest& request,
                                 std::string_view image, std::string_view log);

}  // namespace eflow::jit
