#include "eflow/jit/cache/cache_use.hpp"

#include <cstdlib>
#include <locale>
#include <sstream>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/cache/file_publish.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxBytes = 16u << 20;

using Stamps = std::map<Key, std::int64_t>;

void read_stamps(const fs::path& path, Stamps& out) {
  std::string text;
  try {
    std::error_code ignored;
    if (!fs::exists(path, ignored)) return;
    text = read_file(path, kMaxBytes);
  } catch (const Error&) {
    return;
  }
  std::istringstream lines(text);
  lines.imbue(std::locale::classic());
  std::string hex;
  for (std::int64_t when = 0; lines >> hex >> when;) {
    // A negative time would overflow differences.
    const std::optional<Key> key = key_from_hex(hex);
    if (key && when >= 0) out[*key] = std::max(out[*key], when);
  }
}

void write_stamps(const fs::path& path, const Stamps& stamps) {
  std::string text;
  for (const auto& [key, when] : stamps) text += str(to_hex(key), ' ', when, '\n');
  try {
    publish(path, text);
  } catch (const Error&) {
    // On a read-only or full disk the stamps go stale, which is harmless.
  }
}

std::string shard(const Key& key) {
  return to_hex(key).substr(0, 2);
}

}  // namespace

void CacheUse::touch(const Key& key, std::int64_t now) {
  const std::lock_guard lock(mutex_);
  std::int64_t& mine = touched_[key];
  if (now - mine < every_.count()) return;
  mine = now;
  const fs::path path = directory_ / shard(key);
  Stamps stamps;
  read_stamps(path, stamps);
  // A stamp in the future comes from a wrong clock and is replaced.
  if (const auto known = stamps.find(key);
      known != stamps.end() && std::abs(now - known->second) < every_.count())
    return;
  stamps[key] = now;
  write_stamps(path, stamps);
}

Stamps CacheUse::read() const {
  Stamps out;
  std::error_code code;
  for (const fs::directory_entry& file : fs::directory_iterator(directory_, code)) {
    if (file.path().filename().string().size() == 2) read_stamps(file.path(), out);
  }
  return out;
}

void CacheUse::keep_only(const Stamps& stamps) {
  const std::lock_guard lock(mutex_);
  std::map<std::string, Stamps> shards;
  for (const auto& [key, when] : stamps) shards[shard(key)][key] = when;
  std::error_code code;
  for (const fs::directory_entry& file : fs::directory_iterator(directory_, code)) {
    const std::string name = file.path().filename();
    if (name.size() == 2) write_stamps(file.path(), shards[name]);
  }
}

}  // namespace eflow::jit
