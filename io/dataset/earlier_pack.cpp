#include "eflow/io/dataset/earlier_pack.hpp"

#include <charconv>
#include <cstdio>
#include <vector>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/core/base/log.hpp"
#include "eflow/io/shard/shard.hpp"

namespace eflow::io {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMaxManifestBytes = 64 << 20;

/// The number in "shard-NNNNN.h5", or nullopt for any other name.
std::optional<std::size_t> shard_number(std::string_view name) {
  constexpr std::string_view kBefore = "shard-", kAfter = ".h5";
  if (!name.starts_with(kBefore) || !name.ends_with(kAfter)) return std::nullopt;
  name.remove_prefix(kBefore.size());
  name.remove_suffix(std::min(kAfter.size(), name.size()));
  std::size_t number = 0;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (name.size() < 5 || code != std::errc() || end != name.data() + name.size())
    return std::nullopt;
  return number;
}

/// The first bytes of a file, at most `most`; nothing if it is not a regular file.
std::vector<std::byte> first_bytes(const fs::path& path, std::uint64_t most) {
  if (!fs::is_regular_file(path)) return {};
  std::vector<std::byte> bytes(std::min<std::uint64_t>(fs::file_size(path), most));
  read_at(open_read(path), path, 0, bytes);
  return bytes;
}

/// Compares a folder's content with one data set. Decides everything before it changes anything.
class Claim {
 public:
  explicit Claim(const PackTarget& target)
      : target_(target), key_(key_of(target)), directory_(target.directory) {}

  EarlierPack make();

 private:
  [[nodiscard]] bool carries_our_key(const fs::path& path) const {
    return !target_.spec.content_key.empty() &&
           key_in_header(first_bytes(path, kHeaderBytes)) == key_;
  }
  /// Whether the index of a shard without our key is intact, so that the key is no damage.
  [[nodiscard]] static bool is_shard_of_another(const fs::path& path) {
    if (!fs::is_regular_file(path)) return true;
    try {
      const Shard shard(path, 0);
      return true;
    } catch (const CorruptData&) {
      return false;
    }
  }
  [[nodiscard]] std::string manifest_text() const {
    return read_file(directory_ / kManifestName, kMaxManifestBytes);
  }
  void read_old_manifest();
  void judge_damaged_manifest(const std::string& fault);
  void judge_listed();
  void judge_unlisted();
  void judge_temporaries();
  void refuse_foreign() const;
  void apply();
  [[nodiscard]] std::optional<std::string> fault_of(const fs::path& path,
                                                    const ShardEntry* expected) const;

  PackTarget target_;
  Hash128 key_;
  fs::path directory_;
  EarlierPack found_;
  std::map<std::size_t, fs::path> shards_;  // files named as shards, by number
  std::vector<fs::path> ours_;              // to remove
  std::vector<fs::path> unrecognisable_;    // to rename
  std::vector<fs::path> foreign_;           // to refuse, or to remove if the user says so
  bool remove_manifest_ = false;
};

/// Reads all of a shard. Returns what is wrong with it, or nullopt for an intact, full shard of
/// this data set. `expected` is its entry in the manifest, if there is one.
std::optional<std::string> Claim::fault_of(const fs::path& path, const ShardEntry* expected) const {
  if (!fs::exists(path)) return "the file is missing";
  if (!fs::is_regular_file(path)) return "it is not a regular file";
  try {
    const Shard shard(path, 0);
    const ShardIndex& index = shard.index();
    const auto count = static_cast<std::int64_t>(index.samples.size());
    const bool right = expected ? index.checksum == expected->index_hash
                                : index.spec_key == key_ && count == target_.per_shard;
    if (!right) return "it is another shard";
    std::vector<std::byte> clip(index.samples.front().raw);
    for (std::int64_t i = 0; i < count; ++i) shard.read(i, clip);
    shard.verify_records();
    shard.verify_structure();
  } catch (const CorruptData& e) {  // any other error says nothing about the content
    return e.what();
  }
  return std::nullopt;
}

void Claim::read_old_manifest() {
  if (!fs::exists(directory_ / kManifestName)) return;
  Manifest old;
  try {
    old = read_manifest(directory_);
  } catch (const CorruptData& e) {
    return judge_damaged_manifest(e.what());
  }
  const DatasetSpec& spec = target_.spec;
  if (!spec.content_key.empty() && to_json({old.spec, 0, {}}) == to_json({spec, 0, {}})) {
    if (old.shards.size() > 1 || old.shards.front().count > target_.per_shard)
      target_.per_shard = old.shards.front().count;
    key_ = key_of(target_);
    found_.manifest = std::move(old);
    return;
  }
  if (target_.foreign == ForeignFiles::kRefuse) {
    throw InvalidArgument(str("[dataset] ", directory_.string(),
                              " already holds another data set (created by ", old.spec.creator,
                              ", ", old.count,
                              " clips); choose another directory, delete that data set, or pass "
                              "--overwrite to replace it"));
  }
  remove_manifest_ = true;
}

/// A damaged manifest is ours if it still contains the content key, or if shards with our key are
/// next to it. finish() then replaces it.
void Claim::judge_damaged_manifest(const std::string& fault) {
  const std::string& content = target_.spec.content_key;
  bool ours = !content.empty() && manifest_text().find(content) != std::string::npos;
  for (const auto& [number, path] : shards_) ours = ours || carries_our_key(path);
  if (!ours && target_.foreign == ForeignFiles::kRefuse) {
    throw InvalidArgument(str(fault,
                              ". Nothing shows that it belongs to the data set that is to be "
                              "packed here; choose another directory, move the file away, or "
                              "pass --overwrite to replace it"));
  }
  if (ours) log_warning("[dataset] packing again, because the manifest is damaged: ", fault);
  remove_manifest_ = !ours;
}

/// The shards that the manifest lists.
void Claim::judge_listed() {
  const std::vector<ShardEntry>& entries = found_.manifest->shards;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const fs::path path = directory_ / entries[i].file;
    if (const auto number = shard_number(entries[i].file)) shards_.erase(*number);
    const auto fault = fault_of(path, &entries[i]);
    if (!fault) {
      found_.intact.emplace(i, entries[i]);
      continue;
    }
    log_warning("[dataset] packing ", path.string(), " again: ", *fault);
    if (!fs::exists(path) || carries_our_key(path)) continue;
    (is_shard_of_another(path) ? foreign_ : unrecognisable_).push_back(path);
  }
}

/// Shard files that no manifest lists.
void Claim::judge_unlisted() {
  for (const auto& [number, path] : shards_) {
    if (!carries_our_key(path)) {
      if (found_.manifest) {
        log_warning("[dataset] ", path.string(),
                    " is not part of this data set; it is left where it is");
      } else {
        foreign_.push_back(path);
      }
      continue;
    }
    std::optional<std::string> fault = "the manifest does not list it";
    if (!found_.manifest) fault = fault_of(path, nullptr);
    if (!fault) {
      const Shard shard(path, 0);
      found_.intact.emplace(number, ShardEntry{path.filename().string(), target_.per_shard,
                                               shard.index().file_bytes, shard.index().checksum});
      continue;
    }
    log_warning("[dataset] discarding ", path.string(), ": ", *fault);
    ours_.push_back(path);
  }
}

/// Temporary files of writers that died: shards and manifests up to any byte.
void Claim::judge_temporaries() {
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().string();
    const std::size_t at = name.find(".tmp-");
    if (at == std::string::npos || !entry.is_regular_file()) continue;
    const std::string stem = name.substr(0, at);
    if (shard_number(stem)) {
      const auto bytes = first_bytes(entry.path(), kHeaderBytes);
      if (is_start_of_header(bytes, key_)) ours_.push_back(entry.path());
    } else if (stem == kManifestName && entry.file_size() <= kMaxManifestBytes) {
      const std::string text = read_file(entry.path(), kMaxManifestBytes);
      const bool cut = text.find("\"content_key\"") == std::string::npos;
      const bool begins = text.starts_with("{\n \"checksum\"");
      if (text.empty() || (cut && begins) || text.find(target_.spec.content_key) != text.npos)
        ours_.push_back(entry.path());
    }
  }
}

void Claim::refuse_foreign() const {
  if (foreign_.empty() || target_.foreign == ForeignFiles::kOverwrite) return;
  constexpr std::size_t kNamed = 8;
  std::string names;
  for (std::size_t i = 0; i < std::min(foreign_.size(), kNamed); ++i)
    names += str(i ? ", " : "", foreign_[i].string());
  if (foreign_.size() > kNamed) names += str(" and ", foreign_.size() - kNamed, " more");
  const bool eflow = key_in_header(first_bytes(foreign_.front(), kHeaderBytes)).has_value();
  throw InvalidArgument(str(
      "[dataset] ", names, ": ",
      eflow ? "packed from other content or with other options, perhaps by a pack that was "
              "interrupted"
            : "no shard of eflow",
      "; these files are kept. Choose another directory, move them away, or pass --overwrite to "
      "remove them"));
}

void Claim::apply() {
  if (remove_manifest_) fs::remove(directory_ / kManifestName), sync_directory(directory_);
  if (target_.foreign == ForeignFiles::kOverwrite)
    ours_.insert(ours_.end(), foreign_.begin(), foreign_.end());
  for (const fs::path& path : ours_) fs::remove(path);
  for (const fs::path& path : unrecognisable_) {
    fs::path aside;
    for (int i = 1; fs::exists(aside = path.string() + str(".set-aside-", i)); ++i) continue;
    rename_durably(path, aside);
    log_warning("[dataset] ", path.string(),
                " does not carry the key of this data set; renamed to ", aside.filename().string());
  }
}

EarlierPack Claim::make() {
  try {
    for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
      if (const auto number = shard_number(entry.path().filename().string()))
        shards_.emplace(*number, entry.path());
    }
    read_old_manifest();
    if (found_.manifest) judge_listed();
    judge_unlisted();
    judge_temporaries();
    refuse_foreign();
    apply();
  } catch (const fs::filesystem_error& e) {
    throw IoError(str("[dataset] ", e.path1().string(), ": ", e.code().message()));
  }
  found_.key = key_;
  return std::move(found_);
}

}  // namespace

std::string shard_name(std::size_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "shard-%05zu.h5", number);
  return name;
}

Hash128 key_of(const PackTarget& target) {
  const std::string text = to_json({target.spec, target.per_shard, {}});
  return hash128(std::as_bytes(std::span(text.data(), text.size())));
}

EarlierPack claim_earlier_pack(const PackTarget& target) {
  return Claim(target).make();
}

}  // namespace eflow::io
