#pragma once
// The kernel texts a Runtime can compile: those embedded in the library (every file of
// kernels_src/), those that a user adds, or, while a text is being written, files of a directory
// that stand before the embedded ones.

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/base/hash.hpp"

namespace eflow::jit {

struct TextFile {
  std::string path;  ///< from the root of all texts, as #include spells it
  std::string text;
  friend bool operator==(const TextFile&, const TextFile&) = default;
};

/// A text and everything it includes, directly or not.
struct TextClosure {
  std::string root;             ///< path of the text it was made for
  std::vector<TextFile> files;  ///< sorted by path
  Hash128 content;              ///< of all paths and texts
};

/// The embedded texts, sorted by path.
[[nodiscard]] const std::vector<TextFile>& embedded_texts();

/// Threads: all members may be called at once.
class KernelTexts {
 public:
  /// A non-empty `override_dir` is read before the embedded texts; a closure once made is kept, so
  /// files changed later count for the next KernelTexts.
  explicit KernelTexts(std::filesystem::path override_dir = {});

  /// Adds a user's text under `path`, for example "acme/scale.h". Adding the same text twice is
  /// fine. Throws InvalidArgument when the path is malformed or names another text already.
  void add(std::string path, std::string text);

  /// Throws CompileError, naming the chain of includes, when a text is missing or includes what it
  /// may not.
  [[nodiscard]] std::shared_ptr<const TextClosure> closure(std::string_view path) const;

 private:
  [[nodiscard]] std::string text_of(const std::string& path, const std::string& wanted_by) const;
  std::filesystem::path override_dir_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string, std::less<>> added_;
  mutable std::map<std::string, std::shared_ptr<const TextClosure>, std::less<>> closures_;
};

}  // namespace eflow::jit
