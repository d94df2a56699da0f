#pragma once
// BuildRequest: the complete input of a compiler. Its canonical bytes are stored with the artifact
// and compared in full on every cache hit; their hash only names the entry.

#include <array>
#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/kernel/spec.hpp"
#include "eflow/jit/kernel/target.hpp"
#include "eflow/jit/kernel/texts.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// A 256-bit key: two 128-bit hashes of the same bytes with different seeds.
struct Key {
  std::array<Hash128, 2> half = {};
  friend auto operator<=>(const Key&, const Key&) = default;
};
[[nodiscard]] Key key_of(std::string_view bytes);
/// Formats the key as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const Key& key);
/// Parses 64 lower-case hexadecimal digits; nullopt for anything else.
[[nodiscard]] std::optional<Key> key_from_hex(std::string_view text);

struct BuildRequest {
  /// Must be incremented when the encoding changes.
  static constexpr std::uint64_t kSchema = 1;

  std::string name = "";  ///< the kernel's name, of which KernelSpec::text is the hash
  KernelSpec spec = {};
  Target target = {};
  /// The translation unit: includes the root text and instantiates the specialisation.
  std::string program = "";
  std::shared_ptr<const TextClosure> texts = {};
  std::string toolchain = "";             ///< compiler version and build; empty without a compiler
  std::vector<std::string> options = {};  ///< in command-line order

  /// The encoding of all fields. Starts with portable_bytes().
  [[nodiscard]] std::string canonical_bytes() const;
  /// The encoding of all fields except toolchain and options: the key for machines without a
  /// compiler.
  [[nodiscard]] std::string portable_bytes() const;
  /// Parses canonical bytes; nullopt if they are not a request of this schema.
  [[nodiscard]] static std::optional<BuildRequest> decode(std::string_view bytes);

  /// For messages: "gemm<f32, f32>() for avx512".
  [[nodiscard]] std::string title() const;
};

/// The parts that make_program combines into a translation unit.
struct ProgramParts {
  std::string_view title = "";  ///< name of the specialisation in error messages
  std::string_view text = "";   ///< path of the root text
  /// Names the function within the texts' namespace: "gemm<float, float>".
  std::string_view expression = "";
  int threads = 256;               ///< per block, on a GPU
  std::string_view prologue = "";  ///< whole lines inserted before the text
  bool emulated = false;           ///< for an emulated GPU, on the host
  bool checked = false;            ///< enables say, require and, on the CPU, checks of memory
};

/// Returns the translation unit for a back end. Host: exports eflow_run(block, args) and
/// eflow_args_bytes. CUDA: defines one kernel, eflow_kernel(args).
[[nodiscard]] std::string make_program(Backend backend, const ProgramParts& parts);

}  // namespace eflow::jit

EFLOW_EXPORT_END
