#include "eflow/jit/cuda/library.hpp"

#include <algorithm>
#include <cstdlib>

#include "eflow/core/base/error.hpp"

namespace eflow::jit {

namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The subfolders of `parent` whose names begin with `prefix`, in descending order.
std::vector<fs::path> folders_of(const fs::path& parent, std::string_view prefix) {
  std::vector<fs::path> out;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path());
  }
  std::sort(out.rbegin(), out.rend());
  return out;
}

std::vector<fs::path> folders_of(const CudaPlaces& places) {
  std::vector<fs::path> out;
  for (std::size_t at = 0; at <= places.search_path.size();) {
    const std::size_t end = std::min(places.search_path.find(':', at), places.search_path.size());
    if (end > at) out.emplace_back(places.search_path.substr(at, end - at));
    at = end + 1;
  }
  std::vector<fs::path> toolkits = folders_of(places.toolkits, "cuda-");
  toolkits.insert(toolkits.begin(), places.toolkits / "cuda");
  for (const fs::path& toolkit : toolkits) {
    for (const char* folder :
         {"lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"})
      out.push_back(toolkit / folder);
  }
  if (places.python.empty()) return out;
  for (const fs::path& python : folders_of(places.python / "lib", "python")) {
    for (const fs::path& package : folders_of(python / "site-packages" / "nvidia", ""))
      out.push_back(package / "lib");
  }
  return out;
}

}  // namespace

CudaPlaces CudaPlaces::from_environment() {
  return {.search_path = variable("LD_LIBRARY_PATH"), .python = variable("VIRTUAL_ENV")};
}

std::vector<std::string> cuda_library_paths(std::string_view name,
                                            const std::vector<std::string_view>& versions,
                                            const CudaPlaces& places) {
  std::vector<std::string> names, out;
  for (const std::string_view version : versions) names.push_back(str(name, version));
  names.emplace_back(name);
  for (const fs::path& folder : folders_of(places)) {
    for (const std::string& file : names) {
      std::error_code ignored;
      if (fs::exists(folder / file, ignored)) out.push_back((folder / file).string());
    }
  }
  out.insert(out.end(), names.begin(), names.end());
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
