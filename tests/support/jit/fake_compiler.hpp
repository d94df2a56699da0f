#pragma once
// Shell scripts that pose as a host compiler: they answer -v as g++ does, then run a test's
// commands.

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace eflow::test {

/// Writes the script and returns its path. It runs in the private directory where a compiler writes
/// kernel.so.
inline std::string fake_compiler(const std::filesystem::path& path, const std::string& body) {
  std::ofstream(path)
      << "#!/bin/sh\n"
         "if [ \"$1\" = -v ]; then echo gcc version 99.0; echo Target: none; exit 0; fi\n"
      << body;
  chmod(path.c_str(), 0755);
  return path.string();
}

}  // namespace eflow::test
