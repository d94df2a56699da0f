#pragma once
// BuildRequest: everything a compiler is told, and all it is told. Its canonical bytes are stored
// with what was built and compared whole on every hit; their hash only names the entry.

#include <array>
#include <compare>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eflow/jit/kernel_texts.hpp"
#include "eflow/jit/spec.hpp"

namespace eflow::jit {

enum class Backend : std::uint8_t { kHost, kCuda };

/// What is compiled for: an instruction set of the CPU ("avx2", as name_of(Isa)) or a GPU
/// architecture ("sm_90a").
struct Target {
  Backend backend = Backend::kHost;
  std::string arch;
  friend bool operator==(const Target&, const Target&) = default;
};

/// 256 bits: two 128-bit hashes of the same bytes with different seeds.
struct Key {
  std::array<Hash128, 2> half;
  friend auto operator<=>(const Key&, const Key&) = default;
};
[[nodiscard]] Key key_of(std::string_view bytes);
/// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string to_hex(const Key& key);
[[nodiscard]] std::optional<Key> key_from_hex(std::string_view text);

struct BuildRequest {
  /// Raised when the encoding changes.
  static constexpr std::uint64_t kSchema = 1;

  std::string name;  ///< the kernel's name: what Spec::text was made of
  Spec spec;
  Target target;
  std::string
      program;  ///< the translation unit: includes the texts' root, then wraps the specialisation
  std::shared_ptr<const TextClosure> texts;
  std::string toolchain;             ///< which compiler, down to its build
  std::vector<std::string> options;  ///< in the order the compiler gets them

  /// All fields. Starts with portable_bytes().
  [[nodiscard]] std::string canonical_bytes() const;
  /// All but toolchain and options: what a machine without the compiler can still ask for.
  [[nodiscard]] std::string portable_bytes() const;
  /// nullopt when the bytes are no request of this schema.
  [[nodiscard]] static std::optional<BuildRequest> decode(std::string_view bytes);

  /// "gemm<f32, f32>() for avx512".
  [[nodiscard]] std::string title() const;
};

/// What kernel text and expression make a program of. threads: of a block, on a GPU.
struct ProgramParts {
  std::string_view title;       ///< what error messages call the specialisation
  std::string_view text;        ///< path of the root text
  std::string_view expression;  ///< names the function, for example "gemm<float, float>", in the
                                ///< texts' namespace
  int threads = 256;
  std::string_view prologue = "";  ///< whole lines before the text
};

/// The translation unit for a back end. Host: exports eflow_run(block, args) and eflow_args_bytes.
/// CUDA: one kernel, eflow_kernel(args).
[[nodiscard]] std::string make_program(Backend backend, const ProgramParts& parts);

}  // namespace eflow::jit
