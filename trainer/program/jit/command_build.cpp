// eflow jit compile, kernels, repro and why: compiles one kernel, lists all, or compares a request
// with the cache.
#include <algorithm>
#include <map>
#include <sstream>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/host/subprocess.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/builtin.hpp"
#include "eflow/jit/kernel/builtin_entry.hpp"
#include "eflow/jit/kernel/compiler.hpp"
#include "eflow/jit/kernel/request_check.hpp"
#include "eflow/trainer/program/jit/command_line.hpp"
#include "eflow/trainer/program/jit/text_kernel.hpp"

namespace eflow::jit {
namespace fs = std::filesystem;
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

namespace {

void write_text(const std::string& file, std::string_view text, std::ostream& out) {
  write_file_atomically(file, text);
  out << "wrote " << file << '\n';
}

/// The machine code of an image as text. Throws InvalidArgument without the tool for it.
std::string disassembly(const Target& target, const std::string& image, const Options& options) {
  const bool gpu = target.backend == Backend::kCuda;
  const std::string tool = gpu ? "nvdisasm" : "objdump";
  std::istringstream folders(options.search_path);
  fs::path program;
  for (std::string folder; program.empty() && std::getline(folders, folder, ':');) {
    if (fs::is_regular_file(fs::path(folder) / tool)) program = fs::path(folder) / tool;
  }
  if (program.empty()) {
    throw InvalidArgument(str("--sass needs ", tool, ", which is not in PATH; install ",
                              gpu ? "the CUDA toolkit" : "binutils"));
  }
  const ScratchDirectory directory(options.temporary);
  const std::string file = (directory.path() / "image").string();
  write_file_atomically(file, image);
  Process process{.argv = {program.string()}, .environment = {"LC_ALL=C"}, .stop = {}};
  if (!gpu) process.argv.insert(process.argv.end(), {"-d", "--no-show-raw-insn"});
  process.argv.push_back(file);
  process.max_output = 64u << 20;
  const ProcessResult result = run_process(process);
  if (!result.ok()) throw IoError(str(tool, " failed: ", result.output.substr(0, 1000)));
  return result.output;
}

/// Writes the PTX of a GPU kernel, which is not kept with the artifact.
void write_ptx(const std::string& file, const BuildRequest& request, KernelBuilder& builder,
               const Options& options, std::ostream& out) {
  if (request.target.backend != Backend::kCuda)
    throw InvalidArgument("--ptx needs a GPU's architecture: --arch sm_NN");
  const FoundCompiler& found = builder.compiler(Backend::kCuda);
  if (!found) throw CompileError(found.why);
  const CompileLimits limits{.timeout = options.compile_timeout, .stop = {}, .cancelled = {}};
  write_text(file, found.compiler->compile(request, limits).ptx, out);
}

}  // namespace

int run_kernels(KernelBuilder& builder, std::ostream& out) {
  std::map<std::string, std::pair<int, std::string>> built_in;  // specialisations, and the text
  for (const auto& [spec, entry] : builtin_index(Isa::kBaseline)) {
    auto& [count, text] = built_in[entry->text];
    ++count;
    text = short_text_path(entry->file);
  }
  for (const auto& [name, of] : built_in)
    out << name << "  " << of.second << "  built in, " << of.first << " specialisations\n";
  for (const KernelDefinition& d : builder.definitions().added()) {
    out << d.name << "  " << short_text_path(d.text) << "  " << d.expression;
    for (const Tunable& t : d.space.tunables) out << "  " << t.name << " = $c" << t.constant;
    out << '\n';
  }
  return 0;
}

int run_compile(const CommandLine& line, KernelBuilder& builder, const Options& options,
                std::ostream& out) {
  const Target target = parse_target(line.value("arch", ""), options);
  const KernelRef kernel = parse_kernel(line.words[0]);
  if (has_text(line)) define_text(line, kernel, builder);
  const BuildRequest request = builder.request(kernel, target);
  if (const std::string file = line.value("ptx", ""); !file.empty())
    write_ptx(file, request, builder, options, out);
  const Built built = builder.build(request, {.timeout = options.compile_timeout, .stop = {}});
  out << describe_built(request, built) << '\n';
  if (const std::string file = line.value("sass", ""); !file.empty())
    write_text(file, disassembly(target, built.artifact->image, options), out);
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
