#pragma once
// KernelTexts: the kernel texts that a Runtime can compile. These are the ones embedded in the
// library (every file of kernels_src/), those that a user adds, and, during development, files of a
// directory that override the embedded ones.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/core/base/hash.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// One kernel text.
struct TextFile {
  std::string path = "";  ///< relative to the root of all texts, as written in #include
  std::string text = "";
  friend bool operator==(const TextFile&, const TextFile&) = default;
};

/// A text and everything it includes, directly or indirectly.
struct TextClosure {
  std::string root = "";             ///< path of the requested text
  std::vector<TextFile> files = {};  ///< sorted by path
  Hash128 content = {};              ///< hash of all paths and texts
};

/// The embedded texts, sorted by path.
[[nodiscard]] const std::vector<TextFile>& embedded_texts();

/// The path without "eflow/kernels_src/", as reports show it and as a directory of texts that stand before the
/// embedded ones has it; other paths as they are.
[[nodiscard]] std::string_view short_text_path(std::string_view path);

/// What the program around a text includes before it (make_program); a part of each closure.
inline constexpr std::string_view kArgumentTypesText =
    "eflow/kernels_src/tile/base/argument_types.h";

/// Threads: all members may be called concurrently.
class KernelTexts {
 public:
  /// Texts in `override_dir`, if set, take precedence over the embedded ones. Closures are cached:
  /// a file changed later is only seen by a new KernelTexts.
  explicit KernelTexts(std::filesystem::path override_dir = {});

  /// Adds a user's text under `path`, for example "acme/scale.h". Adding the same text twice has no
  /// effect. Throws InvalidArgument if the path is malformed or already names a different text.
  void add(std::string path, std::string text);

  /// Returns the text `path` with all its includes. Throws CompileError with the chain of includes
  /// if a text is missing or contains a forbidden directive (include_scan.hpp). `emulated`: with
  /// kernels_src/tile/emulation in place of a GPU's instructions.
  [[nodiscard]] std::shared_ptr<const TextClosure> closure(std::string_view path,
                                                           bool emulated = false) const;

 private:
  [[nodiscard]] std::string text_of(const std::string& path, const std::string& wanted_by) const;
  std::filesystem::path override_dir_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> added_;
  using Closures = std::map<std::string, std::shared_ptr<const TextClosure>, std::less<>>;
  mutable Closures closures_, emulated_closures_;
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
