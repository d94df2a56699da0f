#include "eflow/jit/cuda_library.hpp"

#include <algorithm>
#include <filesystem>

#include "eflow/base/error.hpp"

namespace eflow::jit {

namespace fs = std::filesystem;

std::vector<std::string> cuda_library_paths(std::string_view name) {
  std::vector<std::string> out{str(name, ".13"), str(name, ".12"), std::string(name)};
  std::vector<std::string> roots;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/usr/local", ignored)) {
    const std::string folder = entry.path().filename();
    if (folder.starts_with("cuda-")) roots.push_back(entry.path().string());
  }
  std::sort(roots.rbegin(), roots.rend());
  roots.insert(roots.begin(), "/usr/local/cuda");
  for (const std::string& root : roots) {
    for (const char* folder :
         {"/lib64/", "/lib/", "/targets/x86_64-linux/lib/", "/targets/sbsa-linux/lib/"}) {
      for (const char* version : {"", ".13", ".12"}) {
        const std::string path = str(root, folder, name, version);
        if (fs::exists(path, ignored)) out.push_back(path);
      }
    }
  }
  return out;
}

}  // namespace eflow::jit
