// eflow jit ls, show, dump, verify, gc and pack: inspection and maintenance of the disk cache.
#include <charconv>
#include <ctime>

#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"

namespace eflow::jit {
namespace {

DiskCache& disk_of(KernelBuilder& builder) {
  if (DiskCache* disk = builder.disk()) return *disk;
  throw InvalidArgument(
      str("there is no disk cache: ", builder.disk_why(), "; EFLOW_CACHE_DIR selects one"));
}

std::string describe_date(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  char text[32] = "?";
  if (localtime_r(&time, &parts) != nullptr)
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
  return text;
}

struct Entry {
  CacheEntry file;
  ArtifactPtr artifact;
  BuildRequest request;
};

/// Finds the entry whose key starts with these digits. Throws InvalidArgument unless there is
/// exactly one.
Entry find_entry(DiskCache& disk, const std::string& digits) {
  std::vector<CacheEntry> found;
  for (const CacheEntry& entry : disk.entries()) {
    if (to_hex(entry.key).starts_with(digits)) found.push_back(entry);
  }
  if (found.size() != 1) {
    throw InvalidArgument(str(found.size(), " entries have keys that start with \"", digits,
                              "\"; `eflow jit ls` lists them"));
  }
  std::string why;
  ArtifactPtr artifact = disk.read(found[0], why);
  if (!artifact) throw CorruptData(str(found[0].path.string(), ": ", why));
  std::optional<BuildRequest> request = BuildRequest::decode(artifact->request);
  if (!request) throw CorruptData(str(found[0].path.string(), " was written by another version"));
  return {found[0], std::move(artifact), *std::move(request)};
}

}  // namespace

int run_ls(KernelBuilder& builder, std::ostream& out) {
  std::uint64_t bytes = 0;
  const std::vector<CacheEntry> entries = disk_of(builder).entries();
  for (const CacheEntry& entry : entries) {
    std::string why;
    const ArtifactPtr artifact = builder.disk()->read(entry, why);
    const auto request = artifact ? BuildRequest::decode(artifact->request) : std::nullopt;
    out << to_hex(entry.key).substr(0, 12) << "  " << describe_date(entry.used) << "  "
        << describe_bytes(entry.bytes) << "  " << (request ? request->title() : "corrupt: " + why)
        << '\n';
    bytes += entry.bytes;
  }
  out << entries.size() << " kernels, " << describe_bytes(bytes) << " in "
      << builder.disk()->options().root.string() << '\n';
  return 0;
}

int run_show(const CommandLine& line, KernelBuilder& builder, std::ostream& out) {
  const Entry e = find_entry(disk_of(builder), line.words[0]);
  out << "kernel     " << to_string(e.request.spec, e.request.name) << "\ntarget     "
      << e.request.target.arch << "\ntoolchain  " << e.request.toolchain << "\noptions   ";
  for (const std::string& option : e.request.options) out << ' ' << option;
  out << "\ntexts      " << e.request.texts->files.size() << " files from " << e.request.texts->root
      << "\nimage      " << describe_bytes(e.artifact->image.size()) << "\nmade       "
      << describe_date(e.artifact->made) << " in " << describe_seconds(e.artifact->seconds)
      << "\nlast used  " << describe_date(e.file.used) << "\nkey        " << to_hex(e.file.key)
      << "\nfile       " << e.file.path.string() << '\n';
  if (const std::string resources = describe_resources(e.artifact->resources); !resources.empty()) {
    out << "resources  " << resources << '\n';
  }
  if (!e.artifact->log.empty()) out << "log\n" << e.artifact->log << '\n';
  return 0;
}

int run_dump(const CommandLine& line, KernelBuilder& builder, std::ostream& out) {
  const Entry e = find_entry(disk_of(builder), line.words[0]);
  out << dump_build(line.value("to", "."), e.request, e.artifact->image, e.artifact->log).string()
      << '\n';
  return 0;
}

int run_verify(KernelBuilder& builder, std::ostream& out) {
  std::size_t sound = 0, unsound = 0;
  std::string why;
  const auto check = [&](bool good, const std::string& what) {
    ++(good ? sound : unsound);
    if (!good) out << what << ": " << why << '\n';
  };
  if (builder.disk() != nullptr) {
    for (const CacheEntry& entry : builder.disk()->entries()) {
      const ArtifactPtr artifact = builder.disk()->read(entry, why);
      const bool named_right = artifact && artifact->key == entry.key;
      if (artifact && !named_right) why = "its file name is not the hash of its request";
      check(named_right, entry.path.string());
    }
  }
  for (const auto& pack : builder.packs()) {
    for (std::size_t i = 0; i < pack->size(); ++i) {
      bool valid = false;
      try {
        valid = Artifact::decode(pack->container(i), &why).has_value();
      } catch (const Error& e) {
        why = e.what();
      }
      check(valid, str(pack->path().string(), " entry ", i));
    }
  }
  out << sound << " valid, " << unsound << " corrupt\n";
  return unsound == 0 ? 0 : 1;
}

int run_gc(const CommandLine& line, Options options, std::ostream& out) {
  if (const std::string text = line.value("max-mb", ""); !text.empty()) {
    std::uint64_t megabytes = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), megabytes);
    if (code != std::errc() || end != text.data() + text.size()) {
      throw InvalidArgument(str("--max-mb ", text, " is not a non-negative number of megabytes"));
    }
    options.cache_max_bytes = megabytes << 20;
  }
  KernelBuilder builder(options);
  const CollectReport report = disk_of(builder).collect();
  out << "removed " << report.removed_entries << " files, " << describe_bytes(report.removed_bytes)
      << "; " << report.entries << " kernels, " << describe_bytes(report.bytes) << " remain\n";
  return 0;
}

int run_pack(const CommandLine& line, KernelBuilder& builder, const Options& options,
             std::ostream& out) {
  const std::string arch = line.value("arch", "");
  const std::optional<Target> only =
      arch.empty() ? std::nullopt : std::optional<Target>(parse_target(arch, options));
  std::vector<ArtifactPtr> chosen;
  std::string why;
  for (const CacheEntry& entry : disk_of(builder).entries()) {
    ArtifactPtr artifact = builder.disk()->read(entry, why);
    const auto request = artifact ? BuildRequest::decode(artifact->request) : std::nullopt;
    if (request && (!only || request->target == *only)) chosen.push_back(std::move(artifact));
  }
  write_pack(line.words[0], chosen);
  out << chosen.size() << " kernels in " << line.words[0] << "; set EFLOW_PACKS=" << line.words[0]
      << " to use them\n";
  return 0;
}

}  // namespace eflow::jit
