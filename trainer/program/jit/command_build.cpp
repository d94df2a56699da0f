// eflow jit compile, repro and why: compiles one kernel, or compares its request with the cache.
#include <algorithm>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/request_check.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"

namespace eflow::jit {
namespace {

/// The named parts of a request, for comparing two requests.
std::vector<std::pair<std::string, std::string>> parts_of(const BuildRequest& r) {
  std::string options;
  for (const std::string& option : r.options) options += (options.empty() ? "" : " ") + option;
  std::vector<std::pair<std::string, std::string>> out{
      {"kernel", r.name},        {"specialisation", to_string(r.spec, r.name)},
      {"target", r.target.arch}, {"toolchain", r.toolchain},
      {"options", options},      {"program", r.program}};
  for (const TextFile& file : r.texts->files) out.emplace_back("text " + file.path, file.text);
  return out;
}

/// Lists the parts of `wanted` that differ from `cached`; values that are too long are omitted.
std::vector<std::string> differences(const BuildRequest& wanted, const BuildRequest& cached) {
  constexpr std::size_t kShown = 300;
  const auto theirs = parts_of(cached);
  std::vector<std::string> out;
  for (const auto& [name, value] : parts_of(wanted)) {
    const auto other =
        std::find_if(theirs.begin(), theirs.end(), [&](const auto& p) { return p.first == name; });
    if (other != theirs.end() && other->second == value) continue;
    const bool shown = other != theirs.end() && value.size() + other->second.size() < kShown;
    out.push_back(shown ? str(name, ": wanted ", value, ", cached ", other->second) : name);
  }
  return out;
}

}  // namespace

int run_compile(const CommandLine& line, KernelBuilder& builder, const Options& options,
                std::ostream& out) {
  const Target target = parse_target(line.value("arch", ""), options);
  const BuildRequest request = builder.request(parse_kernel(line.words[0]), target);
  const Built built = builder.build(request, {.timeout = options.compile_timeout, .stop = {}});
  out << describe_built(request, built) << '\n';
  if (const std::string folder = line.value("dump", ""); !folder.empty()) {
    out << "dumped to "
        << dump_build(folder, request, built.artifact->image, built.artifact->log).string() << '\n';
  }
  return 0;
}

namespace {

/// Compiles a saved request, bypassing all caches.
int compile_again(const std::string& file, KernelBuilder& builder, const Options& options,
                  std::ostream& out) {
  const std::optional<BuildRequest> request = BuildRequest::decode(read_file(file));
  if (!request) {
    throw CorruptData(str(file,
                          " is not a build request of this version; expected request.bin from a ",
                          "folder that `eflow jit repro` or EFLOW_DUMP_DIR wrote"));
  }
  check_foreign(*request);
  const FoundCompiler& found = builder.compiler(request->target.backend);
  if (!found) throw CompileError(found.why);
  if (found.compiler->toolchain() != request->toolchain) {
    out << "note: the request was made for " << request->toolchain << ", but this machine has "
        << found.compiler->toolchain() << '\n';
  }
  const Compiled made =
      found.compiler->compile(*request, {.timeout = options.compile_timeout, .stop = {}});
  const std::string resources = describe_resources(made.resources);
  out << request->title() << " compiles in " << describe_seconds(made.seconds) << ", "
      << describe_bytes(made.image.size()) << (resources.empty() ? "" : ", ") << resources << '\n'
      << made.log;
  return 0;
}

}  // namespace

int run_repro(const CommandLine& line, KernelBuilder& builder, const Options& options,
              std::ostream& out) {
  const std::string& word = line.words[0];
  if (std::filesystem::is_regular_file(word)) {
    line.refuse({"arch", "to"}, "on a FILE, which holds the whole request");
    return compile_again(word, builder, options, out);
  }
  const BuildRequest request =
      builder.request(parse_kernel(word), parse_target(line.value("arch", ""), options));
  if (request.toolchain.empty())
    out << "no compiler: " << builder.compiler(request.target.backend).why << '\n';
  const auto folder = dump_build(line.value("to", "."), request, "", "");
  out << folder.string()
      << "\n  compile.txt contains the command; `eflow jit repro` compiles request.bin\n";
  return 0;
}

int run_why(const CommandLine& line, KernelBuilder& builder, const Options& options,
            std::ostream& out) {
  const BuildRequest wanted =
      builder.request(parse_kernel(line.words[0]), parse_target(line.value("arch", ""), options));
  if (wanted.toolchain.empty())
    out << "no compiler: " << builder.compiler(wanted.target.backend).why << '\n';
  std::vector<std::string> best;
  std::string best_title;
  for (const CacheEntry& entry :
       builder.disk() != nullptr ? builder.disk()->entries() : std::vector<CacheEntry>()) {
    std::string why;
    const ArtifactPtr artifact = builder.disk()->read(entry, why);
    const auto cached = artifact ? BuildRequest::decode(artifact->request) : std::nullopt;
    if (!cached) continue;
    std::vector<std::string> different = differences(wanted, *cached);
    if (!best_title.empty() && different.size() >= best.size()) continue;
    best = std::move(different);
    best_title = str(to_hex(entry.key).substr(0, 12), " ", cached->title());
  }
  if (best_title.empty()) {
    out << "The cache is empty"
        << (builder.disk() == nullptr ? ": " + builder.disk_why() : std::string()) << ".\n";
  } else if (best.empty()) {
    out << wanted.title() << " is cached: " << best_title << '\n';
  } else {
    out << wanted.title() << " is not cached. The nearest entry is " << best_title
        << ", which differs in:\n";
    for (const std::string& d : best) out << "  " << d << '\n';
  }
  return 0;
}

}  // namespace eflow::jit
