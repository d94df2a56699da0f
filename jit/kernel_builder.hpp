#pragma once
// KernelBuilder: obtains the artifact of a kernel for a target from packs, the disk cache or a
// compiler. It needs no device, so GPU artifacts can be built on machines without a GPU.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/disk_cache.hpp"
#include "eflow/jit/cache/pack.hpp"
#include "eflow/jit/cache/tuning_record.hpp"
#include "eflow/jit/kernel/artifact.hpp"
#include "eflow/jit/kernel/build_report.hpp"
#include "eflow/jit/kernel/definitions.hpp"
#include "eflow/jit/options.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// An artifact and its source.
struct Built {
  ArtifactPtr artifact = {};
  Origin origin = Origin::kCompiled;
};

/// Threads: all members may be called concurrently, except that set_events comes first.
class KernelBuilder {
 public:
  explicit KernelBuilder(const Options& options);
  ~KernelBuilder();

  [[nodiscard]] KernelTexts& texts();
  [[nodiscard]] KernelDefinitions& definitions();

  /// Returns the complete compiler input. Toolchain and options are empty if no compiler for the
  /// target exists. Throws CompileError if the kernel is undefined or its texts are invalid.
  [[nodiscard]] BuildRequest request(const KernelRef& kernel, const Target& target);

  /// Throws to reject an artifact, for example because it cannot be loaded. A rejected cache entry
  /// is quarantined and the request is compiled once.
  using Accept = std::function<void(const Artifact&)>;
  /// Searches packs, then the disk cache, then compiles. If that is impossible, a GPU's kernel may come
  /// as PTX from a pack, which the driver compiles when it is loaded. Throws CompileError for compile errors, a
  /// missing compiler, JitMode::kForbid, and expired limits.
  [[nodiscard]] Built build(const BuildRequest& request, const CompileLimits& limits,
                            const Accept& accept = {});

  /// The compiler of a back end. Searched for on the first call; the result is cached.
  [[nodiscard]] const FoundCompiler& compiler(Backend backend);
  /// The disk cache; nullptr if there is none, with the reason in disk_why().
  [[nodiscard]] DiskCache* disk();
  [[nodiscard]] const std::string& disk_why();
  [[nodiscard]] const std::vector<std::unique_ptr<Pack>>& packs();
  /// The finished tuning records of all packs.
  [[nodiscard]] const std::vector<TuningRecord>& packed_records();

  void set_events(Events events);
  [[nodiscard]] Stats stats() const;
  void count_memory_hit();

 private:
  struct State;
  [[nodiscard]] Built find_cached(const Key& key, const std::string& bytes, const Accept& accept,
                                  std::string& why);
  [[nodiscard]] Built find_ptx(const BuildRequest& request, const Accept& accept);
  [[nodiscard]] Built find_portable(const BuildRequest& request, const Accept& accept);
  [[nodiscard]] ArtifactPtr compile(const BuildRequest& request, const Key& key, std::string bytes,
                                    const CompileLimits& limits);
  std::unique_ptr<State> state_;
};

/// Writes a build to a new folder below `parent`: program, texts, options, log, image, a command
/// line that compiles it, and the request in binary form for `eflow jit repro`. Returns the folder.
/// Throws IoError.
std::filesystem::path dump_build(const std::filesystem::path& parent, const BuildRequest& request,
                                 std::string_view image, std::string_view log);

}  // namespace eflow::jit

EFLOW_EXPORT_END
