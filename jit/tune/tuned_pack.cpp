#include "eflow/jit/tune/tuned_pack.hpp"

#include <optional>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/jit/cache/tuning_database.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/isa.hpp"

namespace eflow::jit {
namespace {

Target target_of(const std::string& arch) {
  return {isa_from_name(arch) ? Backend::kHost : Backend::kCuda, arch};
}

class Packing {
 public:
  Packing(KernelBuilder& builder, const TunedPackOptions& options)
      : builder_(builder), options_(options) {}

  void add(const TuningRecord& record) {
    const std::string title = str(to_string(record.key.kernel.spec, record.key.kernel.name),
                                  ", tuned on ", record.key.device);
    try {
      if (!record.finished) throw InvalidArgument("its tuning did not finish");
      const KernelRef best = best_of(record);
      const Target own = target_of(record.key.arch);
      // Its own architecture must be there; the others are a service.
      add_kernel(best, own, record.text);
      records_.push_back(record);
      bool gpu = own.backend == Backend::kCuda;
      for (const Target& target : options_.targets) {
        if (target == own) continue;
        gpu = gpu || target.backend == Backend::kCuda;
        try_kernel(best, target, record.text);
      }
      if (gpu && !options_.ptx.empty())
        try_kernel(best, {Backend::kCuda, options_.ptx}, record.text);
    } catch (const Error& e) {
      say(str(title, " is left out: ", e.what()));
    }
  }

  TunedPack write(const std::filesystem::path& path) const {
    if (records_.empty()) {
      throw InvalidArgument(str("[jit] nothing to write to ", path.string(),
                                ": no tuning record is finished and of a kernel that is known"));
    }
    write_pack(path, artifacts_, TuningDatabase::to_json(records_));
    return {records_.size(), artifacts_.size() - ptx_, ptx_};
  }

 private:
  void say(const std::string& line) const {
    if (options_.say) options_.say(line);
  }

  [[nodiscard]] KernelRef best_of(const TuningRecord& record) const {
    const ConfigSpace space = builder_.definitions().space(record.key.kernel.name);
    const std::vector<int>& values = record.configs[static_cast<std::size_t>(record.best)].values;
    if (space.tunables.size() != values.size()) {
      throw InvalidArgument(str("it has ", values.size(), " tunables and the kernel ",
                                space.tunables.size(), "; tune it again, or give its text"));
    }
    return {record.key.kernel.name, space.with_values(record.key.kernel.spec, values)};
  }

  void add_kernel(const KernelRef& kernel, const Target& target, const std::string& text) {
    const BuildRequest request = builder_.request(kernel, target);
    if (to_hex(request.texts->content) != text)
      throw InvalidArgument("the kernel's text has changed since; tune it again");
    ArtifactPtr artifact = builder_.build(request, options_.limits).artifact;
    for (const ArtifactPtr& other : artifacts_) {
      if (other->key == artifact->key) return;  // another shape of the same kernel
    }
    ptx_ += target.arch == options_.ptx ? 1 : 0;
    artifacts_.push_back(std::move(artifact));
  }

  void try_kernel(const KernelRef& kernel, const Target& target, const std::string& text) {
    try {
      add_kernel(kernel, target, text);
    } catch (const Error& e) {
      say(str(to_string(kernel.spec, kernel.name), " for ", target.arch,
              " is left out: ", e.what()));
    }
  }

  KernelBuilder& builder_;
  const TunedPackOptions& options_;
  std::vector<TuningRecord> records_;
  std::vector<ArtifactPtr> artifacts_;
  std::size_t ptx_ = 0;
};

}  // namespace

TunedPack write_tuned_pack(const std::filesystem::path& path, KernelBuilder& builder,
                           const std::vector<TuningRecord>& records,
                           const TunedPackOptions& options) {
  Packing packing(builder, options);
  for (const TuningRecord& record : records) packing.add(record);
  return packing.write(path);
}

}  // namespace eflow::jit
