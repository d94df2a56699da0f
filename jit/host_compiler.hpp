#pragma once
// The CPU back end: g++ or clang++, run without a shell in a private directory that holds the request's texts and nothing
// else. No system header can be reached (-nostdinc), so the texts of the request are all that is compiled.

#include <filesystem>
#include <string>

#include "eflow/jit/compiler.hpp"

namespace eflow::jit {

struct HostCompilerOptions {
  std::string cxx;  ///< a path or a name; empty: the first of g++, clang++, c++
  std::string search_path =
      "/usr/local/bin:/usr/bin:/bin";        ///< where names are looked up, parted by ':'
  std::filesystem::path temporary = "/tmp";  ///< parent of the private directories
};

/// Asks the compiler for its version once. Never throws.
[[nodiscard]] FoundCompiler find_host_compiler(const HostCompilerOptions& options);

}  // namespace eflow::jit
