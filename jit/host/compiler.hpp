#pragma once
// The CPU back end: runs g++ or clang++, without a shell, in a private directory that contains only
// the request's texts. -nostdinc excludes system headers, so the request determines the output.

#include <filesystem>
#include <string>

#include "eflow/jit/kernel/compiler.hpp"

namespace eflow::jit {

struct HostCompilerOptions {
  std::string cxx = "";  ///< path or name; empty: the first of g++, clang++, c++
  std::string search_path = "/usr/local/bin:/usr/bin:/bin";  ///< directories separated by ':'
  std::filesystem::path temporary = "/tmp";                  ///< parent of the private directories
  bool check = false;                  ///< compile checked texts, for a debugger
  std::filesystem::path sources = {};  ///< where a debugger finds the texts; empty: nowhere
};

/// Finds a compiler and queries its version. Throws CompileError if the first one that exists cannot
/// be started now, or does not answer: another in its place would change the keys of all kernels.
[[nodiscard]] FoundCompiler find_host_compiler(const HostCompilerOptions& options);

}  // namespace eflow::jit
