// Writes a build to a folder for inspection, see dump_build in kernel_builder.hpp.
#include <algorithm>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/build_request.hpp"
#include "eflow/jit/kernel/request_check.hpp"
#include "eflow/jit/kernel_builder.hpp"

namespace eflow::jit {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path, std::string_view text) {
  std::error_code code;
  fs::create_directories(path.parent_path(), code);
  if (code) throw IoError(str("cannot create ", path.parent_path().string(), ": ", code.message()));
  write_file_atomically(path, text);
}

/// A KernelSpec's text as a directory name: "gemm<f32, f32>()" becomes "gemm-f32-f32".
std::string file_name(const std::string& title) {
  std::string out;
  for (const char c : title) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (plain)
      out += c;
    else if (!out.empty() && out.back() != '-')
      out += '-';
  }
  while (out.ends_with('-')) out.pop_back();
  return out;
}

/// Quotes a word for the shell if necessary. check_command() admits no quotes.
std::string quoted(const std::string& word) {
  const bool plain = word.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789-_=+./,:") == std::string::npos;
  return plain ? word : "'" + word + "'";
}

/// The command line that repeats the compile, run in the folder. NVRTC has no program of its own,
/// so for a GPU it is eflow.
std::string compile_command(const BuildRequest& request) {
  if (request.target.backend == Backend::kCuda) return "eflow jit repro request.bin\n";
  const bool clang = request.toolchain.find("clang") != std::string::npos;
  std::string out = str("cd texts && ", clang ? "clang++" : "g++");
  for (const std::string& option : request.options) out += ' ' + quoted(option);
  return out + " -I. -o ../kernel.so kernel.cpp -lm\n";
}

}  // namespace

fs::path dump_build(const fs::path& parent, const BuildRequest& request, std::string_view image,
                    std::string_view log) {
  check_command(request);
  const std::string key = to_hex(key_of(request.canonical_bytes()));
  const fs::path folder = parent / str(file_name(request.title()), '-', key.substr(0, 12));
  for (const TextFile& file : request.texts->files) write(folder / "texts" / file.path, file.text);
  const bool cuda = request.target.backend == Backend::kCuda;
  write(folder / "texts" / (cuda ? "kernel.cu" : "kernel.cpp"), request.program);
  std::string options;
  for (const std::string& option : request.options) options += option + '\n';
  write(folder / "options.txt", options);
  write(folder / "request.txt",
        str("kernel    ", to_string(request.spec, request.name), "\ntarget    ",
            request.target.arch, "\ntoolchain ", request.toolchain, "\nkey       ", key, '\n'));
  write(folder / "request.bin", request.canonical_bytes());
  write(folder / "compile.txt", compile_command(request));
  write(folder / "log.txt", log);
  if (!image.empty()) write(folder / (cuda ? "kernel.cubin" : "kernel.so"), image);
  return folder;
}

}  // namespace eflow::jit
