#include "eflow/jit/cache/tuning_database.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "eflow/core/base/error.hpp"
#include "eflow/core/base/hash.hpp"
#include "eflow/jit/cache/cache_directory.hpp"
#include "eflow/jit/cache/file_publish.hpp"
#include "eflow/jit/cache/pack.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// A record takes a few kilobytes; a larger file is not ours.
constexpr std::uint64_t kMaxRecordBytes = 16 << 20;

/// Levels of brackets in an export, at most.
constexpr int kMaxNesting = 18;

/// A kernel's name as a directory name; the name may contain slashes.
std::string folder_name(std::string kernel) {
  std::replace(kernel.begin(), kernel.end(), '/', '+');
  return kernel;
}

/// A file whose bytes are not exactly those that put() writes is damaged, whatever it says; one of
/// the schema without a checksum is taken as it is.
std::optional<TuningRecord> read_record(const fs::path& path, std::string& why) {
  try {
    const std::string text = read_file(path, kMaxRecordBytes);
    std::optional<TuningRecord> record = TuningRecord::decode(text, why);
    const bool checked = text.find("\"checksum\"") != std::string::npos;
    if (record && checked && record->encode() != text) {
      why = path.string() + " was changed after it was written; tune the kernel again";
      return std::nullopt;
    }
    return record;
  } catch (const Error& e) {
    why = e.what();
    return std::nullopt;
  }
}

void make_folders(const fs::path& folder) {
  if (const std::string why = secure_directory(folder); !why.empty())
    throw IoError("[jit] cannot write the tuning database: " + why);
}

}  // namespace

fs::path TuningDatabase::device_folder(const std::string& device, const std::string& arch) const {
  return base_ / (arch + '-' + eflow::to_hex(hash64(device)));
}

fs::path TuningDatabase::path_of(const TuningKey& key) const {
  return device_folder(key.device, key.arch) / folder_name(key.kernel.name) /
         (key.digest() + ".json");
}

std::optional<TuningRecord> TuningDatabase::get(const TuningKey& key, std::string& why) const {
  const fs::path path = path_of(key);
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    why = "never tuned";
    return std::nullopt;
  }
  std::optional<TuningRecord> record = read_record(path, why);
  if (record && record->key.digest() != key.digest()) {
    why = path.string() + " is a record of another key";
    return std::nullopt;
  }
  return record;
}

void TuningDatabase::put(const TuningRecord& record) const {
  const fs::path path = path_of(record.key);
  const fs::path below = path.lexically_normal().lexically_relative(base_.lexically_normal());
  if (below.empty() || *below.begin() == "..") {
    throw InvalidArgument(str("[jit] the tuning record of ", record.key.kernel.name, " for ",
                              record.key.arch, " would be written outside of ", base_.string()));
  }
  make_folders(path.parent_path());
  publish(path, record.encode());
}

bool TuningDatabase::has_any(const std::string& device, const std::string& arch,
                             const std::string& kernel) const {
  std::error_code ignored;
  return fs::is_directory(device_folder(device, arch) / folder_name(kernel), ignored);
}

FileLock TuningDatabase::lock(const std::string& device, const std::string& arch) const {
  const fs::path folder = device_folder(device, arch);
  make_folders(folder);
  return FileLock(folder / "lock");
}

std::vector<TuningRecord> TuningDatabase::all(const Unsound& unsound) const {
  std::vector<fs::path> paths;
  std::error_code code;
  for (auto at = fs::recursive_directory_iterator(base_, code);
       !code && at != fs::recursive_directory_iterator(); at.increment(code)) {
    if (at->path().extension() == ".json" && !at->path().filename().string().starts_with('.'))
      paths.push_back(at->path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<TuningRecord> out;
  for (const fs::path& path : paths) {
    std::string why;
    std::optional<TuningRecord> record = read_record(path, why);
    if (record && path_of(record->key) != path) {
      record.reset();
      why = "it is a record of another key";
    }
    if (record)
      out.push_back(*std::move(record));
    else if (unsound)
      unsound(path, why);
  }
  return out;
}

std::string TuningDatabase::to_json(const std::vector<TuningRecord>& records) {
  Json list = Json::array();
  for (const TuningRecord& record : records) list.push_back(Json::parse(record.encode()));
  const Json whole{{"eflow_tuning", TuningRecord::kSchema}, {"records", std::move(list)}};
  return whole.dump(1) + '\n';
}

std::vector<TuningRecord> TuningDatabase::from_json(const std::string& text, const fs::path& file,
                                                    const Unsound& unsound) {
  if (nesting_of(text) > kMaxNesting) {
    throw CorruptData(str("[jit] ", file.string(), " has more than ", kMaxNesting,
                          " levels of brackets; `eflow jit tune export` never writes that"));
  }
  const Json whole = Json::parse(text, nullptr, false);
  if (!whole.is_object() || !whole.contains("records") || !whole["records"].is_array())
    throw CorruptData(str("[jit] ", file.string(), " was not written by `eflow jit tune export`"));
  std::vector<TuningRecord> out;
  for (const Json& j : whole["records"]) {
    std::string why;
    std::optional<TuningRecord> record = TuningRecord::decode(j.dump(), why);
    if (record)
      out.push_back(*std::move(record));
    else if (unsound)
      unsound(file, why);
  }
  return out;
}

std::size_t TuningDatabase::export_to(const fs::path& file) const {
  std::vector<TuningRecord> records = all();
  std::erase_if(records, [](const TuningRecord& r) { return !r.finished; });
  write_file_atomically(file, to_json(records));
  return records.size();
}

std::size_t TuningDatabase::import_from(const fs::path& file, const Unsound& unsound) const {
  std::string why;
  const std::unique_ptr<Pack> pack = Pack::open(file, why);
  const std::string text = pack ? pack->tuning() : read_file(file);
  if (pack && text.empty())
    throw CorruptData(str("[jit] ", file.string(), " is a pack without tuning records; ",
                          "`eflow jit tune export --pack` writes those with"));
  std::size_t count = 0;
  std::map<fs::path, FileLock> locks;  // a tuner must not overwrite what is imported
  for (const TuningRecord& record : from_json(text, file, unsound)) {
    if (!record.finished) {
      if (unsound) unsound(file, "a record is unfinished");
      continue;
    }
    const fs::path device = device_folder(record.key.device, record.key.arch);
    if (!locks.contains(device)) locks.emplace(device, lock(record.key.device, record.key.arch));
    put(record);
    ++count;
  }
  return count;
}

}  // namespace eflow::jit
