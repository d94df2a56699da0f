#include "eflow/jit/kernel/config_space.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {
namespace {

int& at(KernelSpec& spec, const Tunable& tunable) {
  return spec.constants[tunable.constant];
}

/// "model name" of the first processor. Identifies the machine in the tuning database; nothing else
/// depends on it.
std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

std::int64_t cache_bytes(int name, std::int64_t otherwise) {
  const long bytes = sysconf(name);
  return bytes > 0 ? bytes : otherwise;
}

}  // namespace

KernelSpec ConfigSpace::with_defaults(KernelSpec spec) const {
  if (default_is_the_callers) return spec;
  for (const Tunable& t : tunables) at(spec, t) = t.values.front();
  return spec;
}

KernelSpec ConfigSpace::without_config(KernelSpec spec) const {
  for (const Tunable& t : tunables) at(spec, t) = default_is_the_callers ? 0 : t.values.front();
  return spec;
}

KernelSpec ConfigSpace::with_values(KernelSpec spec, const std::vector<int>& values) const {
  for (std::size_t i = 0; i < tunables.size(); ++i) at(spec, tunables[i]) = values.at(i);
  return spec;
}

std::vector<int> ConfigSpace::values_of(const KernelSpec& spec) const {
  std::vector<int> out;
  for (const Tunable& t : tunables) out.push_back(spec.constants[t.constant]);
  return out;
}

bool ConfigSpace::contains(const KernelSpec& spec, const DeviceLimits& limits) const {
  for (const Tunable& t : tunables) {
    const int value = spec.constants[t.constant];
    if (std::find(t.values.begin(), t.values.end(), value) == t.values.end()) return false;
  }
  return (!default_is_the_callers && spec == with_defaults(spec)) || !fits || fits(spec, limits);
}

std::vector<KernelSpec> ConfigSpace::configs(const KernelSpec& spec,
                                             const DeviceLimits& limits) const {
  std::vector<KernelSpec> out{with_defaults(spec)};
  for (const Tunable& t : tunables) {
    const std::size_t before = out.size();
    const int by_default = at(out[0], t);
    for (const int value : t.values) {
      for (std::size_t i = 0; i < before && value != by_default; ++i) {
        KernelSpec next = out[i];
        at(next, t) = value;
        out.push_back(next);
      }
    }
  }
  const auto unfit = [&](const KernelSpec& s) { return fits && !fits(s, limits); };
  out.erase(std::remove_if(out.begin() + 1, out.end(), unfit), out.end());
  return out;
}

DeviceLimits host_limits(const std::string& arch, int threads, std::int64_t block_bytes) {
  return {.name = str(cpu_name(), ", ", threads, threads == 1 ? " thread" : " threads"),
          .arch = arch,
          .threads = threads,
          .l1_bytes = cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10),
          .l2_bytes = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512 << 10),
          .block_bytes = block_bytes};
}

}  // namespace eflow::jit
