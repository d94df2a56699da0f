#include "eflow/jit/kernel/texts.hpp"

#include <algorithm>

#include "eflow/core/base/atomic_file.hpp"
#include "eflow/core/base/error.hpp"
#include "eflow/jit/kernel/canonical.hpp"
#include "eflow/jit/kernel/include_scan.hpp"

namespace eflow::jit {
namespace {

const std::string* find_embedded(std::string_view path) {
  const std::vector<TextFile>& texts = embedded_texts();
  const auto found =
      std::lower_bound(texts.begin(), texts.end(), path,
                       [](const TextFile& t, std::string_view p) { return t.path < p; });
  return found != texts.end() && found->path == path ? &found->text : nullptr;
}

/// The path of the text that stands in for a GPU's instructions on an emulated one.
std::string stand_in_of(const std::string& path) {
  constexpr std::string_view kReal = "eflow/kernels_src/tile/cuda/";
  return path.starts_with(kReal)
             ? str("eflow/kernels_src/tile/emulation/", path.substr(kReal.size()))
             : "";
}

}  // namespace

std::string_view short_text_path(std::string_view path) {
  constexpr std::string_view kRoot = "eflow/kernels_src/";
  return path.starts_with(kRoot) ? path.substr(kRoot.size()) : path;
}

const std::vector<TextFile>& embedded_texts() {
  static const std::vector<TextFile> texts = [] {
    std::vector<TextFile> out{
#include "eflow/jit/kernel/embedded_texts.inc"
    };
    std::sort(out.begin(), out.end(),
              [](const TextFile& a, const TextFile& b) { return a.path < b.path; });
    return out;
  }();
  return texts;
}

KernelTexts::KernelTexts(std::filesystem::path override_dir)
    : override_dir_(std::move(override_dir)) {}

void KernelTexts::add(std::string path, std::string text) {
  if (!is_text_path(path)) {
    throw InvalidArgument(
        str("[jit] \"", path,
            "\" is not a valid path of a kernel text; expected lower-case letters, digits, _ "
            "and . separated by /, for example acme/scale.h"));
  }
  const std::lock_guard lock(mutex_);
  const auto [at, fresh] = added_.try_emplace(path, text);
  if (find_embedded(path) != nullptr || (!fresh && at->second != text)) {
    if (fresh) added_.erase(at);
    throw InvalidArgument(str("[jit] there already is a kernel text ", path,
                              " with different content; "
                              "choose another path, for example acme/",
                              path));
  }
}

std::string KernelTexts::text_of(const std::string& path, const std::string& wanted_by) const {
  if (!override_dir_.empty()) {
    std::error_code ignored;
    const std::filesystem::path file = override_dir_ / short_text_path(path);
    if (std::filesystem::exists(file, ignored)) return read_file(file);
  }
  if (const auto added = added_.find(path); added != added_.end()) return added->second;
  if (const std::string* text = find_embedded(path)) return *text;
  throw CompileError(str("[kernel text] ", wanted_by, path, ": no text has this path",
                         "; texts come from kernels_src/ and Runtime::add_text"));
}

std::shared_ptr<const TextClosure> KernelTexts::closure(std::string_view path,
                                                        bool emulated) const {
  const std::lock_guard lock(mutex_);
  auto& closures = emulated ? emulated_closures_ : closures_;
  if (const auto known = closures.find(path); known != closures.end()) return known->second;

  std::map<std::string, std::string> files;
  std::vector<std::pair<std::string, std::string>> open{
      {std::string(path), ""}, {std::string(kArgumentTypesText), ""}};  // path, chain of includes
  while (!open.empty()) {
    const auto [next, wanted_by] = std::move(open.back());
    open.pop_back();
    if (files.contains(next)) continue;
    const std::string* const stand_in = emulated ? find_embedded(stand_in_of(next)) : nullptr;
    const std::string& text = files[next] =
        stand_in != nullptr ? *stand_in : text_of(next, wanted_by);
    for (std::string& include : scan_includes(next, text)) {
      open.emplace_back(std::move(include), wanted_by + next + " -> ");
    }
  }

  auto closure = std::make_shared<TextClosure>();
  closure->root = path;
  ByteWriter bytes;
  for (auto& [name, text] : files) {
    bytes.string(name).string(text);
    closure->files.push_back({name, std::move(text)});
  }
  closure->content = hash128(bytes.view());
  closures.emplace(path, closure);
  return closure;
}

}  // namespace eflow::jit
