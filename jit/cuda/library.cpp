#include "eflow/jit/cuda/library.hpp"

#include <algorithm>
#include <filesystem>

#include "eflow/core/base/error.hpp"

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

bool open_cuda_library(const CudaLibrary& library, const std::string& named,
                       const std::function<bool(void*, const std::string&)>& take,
                       std::string& why) {
  const std::vector<std::string> paths = named.empty()
                                             ? cuda_library_paths(str(library.name, ".so"))
                                             : std::vector<std::string>{named};
  for (const std::string& path : paths) {
    void* const handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      if (const char* error = dlerror(); why.empty() && error != nullptr) why = error;
      continue;
    }
    if (take(handle, path)) return true;
    why = str(path, " lacks functions that ", library.title, " 12 has");
  }
  why = str("no ", library.title, " (", why, "); install CUDA's ", library.name, ", or set ",
            library.variable);
  return false;
}

}  // namespace eflow::jit
