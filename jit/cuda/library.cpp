#include "eflow/jit/cuda/library.hpp"

#include <algorithm>
#include <filesystem>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {

namespace fs = std::filesystem;

std::vector<std::string> cuda_library_paths(std::string_view name,
                                            const std::vector<std::string_view>& versions) {
  std::vector<std::string> out;
  for (const std::string_view version : versions) out.push_back(str(name, version));
  out.emplace_back(name);
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
      const std::string path = str(root, folder, name);
      if (fs::exists(path, ignored)) out.push_back(path);
      for (const std::string_view version : versions) {
        if (fs::exists(str(path, version), ignored)) out.push_back(str(path, version));
      }
    }
  }
  return out;
}

bool open_cuda_library(const CudaLibrary& library, const std::string& named,
                       const std::function<bool(void*, const std::string&)>& take,
                       std::string& why) {
  const std::vector<std::string> paths =
      named.empty() ? cuda_library_paths(str(library.name, ".so"), library.versions)
                    : std::vector<std::string>{named};
  for (const std::string& path : paths) {
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      if (const char* error = dlerror(); why.empty() && error != nullptr) why = error;
      continue;
    }
    if (take(handle, path)) return true;
    why = str(path, " is not ", library.title, " ", library.least, " or later");
  }
  why = str("no ", library.title, " (", why, "); install CUDA's ", library.name, ", or set ",
            library.variable);
  return false;
}

}  // namespace eflow::jit
