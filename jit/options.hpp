#pragma once
// Options of a Runtime. from_environment() is the only place where jit reads the environment.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/jit/cache_directory.hpp"
#include "eflow/jit/isa.hpp"

namespace eflow::jit {

enum class JitMode {
  kOn,      ///< caches first, else compile
  kForbid,  ///< caches only; a compile is an error that names the kernel (for tests of warm starts, for serving)
  kOff,     ///< built-in kernels only
};

/// Whether launches use what was tuned for them (Runtime::tuned).
enum class TuneMode { kOff, kLookup };

struct CublasApi;
struct CudaApi;

struct Options {
  std::string device = "cpu";  ///< what a Runtime launches on, as resolve_device takes it
  std::optional<Isa> isa;      ///< the best to use on the CPU; default: the best this CPU has
  int threads = 0;             ///< of the CPU pool; 0 = all that the process may use

  JitMode mode = JitMode::kOn;
  CacheChoice cache{.named = "", .xdg_cache_home = "", .home = ""};  ///< default: memory only
  std::uint64_t cache_max_bytes = std::uint64_t{1} << 30;
  std::vector<std::filesystem::path> packs;  ///< read-only, asked before the disk cache

  std::string cxx;  ///< host compiler; empty: the first of g++, clang++, c++ on search_path
  std::string search_path = "/usr/local/bin:/usr/bin:/bin";
  std::string nvrtc;  ///< NVRTC's library; empty: the newest there is
  std::filesystem::path temporary = "/tmp";
  const CudaApi* cuda = nullptr;  ///< the driver; nullptr: the machine's, when one is needed
  std::string cublas_library;     ///< cuBLASLt's library; empty: the newest there is; "off": none is used
  const CublasApi* cublas = nullptr;  ///< in its place
  /// Whether a GPU may gather a step's work into graphs. Off until it was run on one.
  bool graphs = false;
  bool tf32 = true;  ///< cuBLASLt may round the factors of f32 products to TF32
  TuneMode tune = TuneMode::kLookup;
  int compile_threads = 0;  ///< of one prepare(); 0 = as many as the process may use, at most 8
  std::chrono::milliseconds compile_timeout{120'000};

  std::filesystem::path kernel_dir;  ///< texts here stand before the embedded ones
  std::filesystem::path dump_dir;  ///< every compile leaves its texts, options, log and image here

  /// EFLOW_DEVICE (cpu | cuda | cuda:N | auto), EFLOW_ISA (baseline | avx2 | avx512 | avx512_bf16), EFLOW_THREADS,
  /// EFLOW_JIT (on | forbid | off), EFLOW_CACHE_DIR ("" = none), EFLOW_CACHE_MAX_MB, EFLOW_PACKS (parted by ':'),
  /// EFLOW_CXX, EFLOW_NVRTC, EFLOW_CUBLASLT (a library or off), EFLOW_TF32 and EFLOW_GRAPHS (on | off), EFLOW_KERNEL_DIR,
  /// EFLOW_DUMP_DIR, EFLOW_TUNE (off | lookup); and PATH, HOME, XDG_CACHE_HOME, TMPDIR. Throws InvalidArgument naming variable, value and what is allowed.
  [[nodiscard]] static Options from_environment();
};

}  // namespace eflow::jit
