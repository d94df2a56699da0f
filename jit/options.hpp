#pragma once
// Options of a Runtime. Within jit/, only from_environment() reads the environment.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "eflow/core/base/export.hpp"
#include "eflow/jit/cache/cache_directory.hpp"
#include "eflow/jit/kernel/isa.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

enum class JitMode {
  kOn,  ///< use caches, and compile on a miss
  /// Use caches only; a miss is an error that names the kernel. For serving, and for tests of warm
  /// starts.
  kForbid,
  kOff,  ///< use built-in kernels only
};

/// Whether launches use tuned configs (Runtime::tuned).
enum class TuneMode { kOff, kLookup };

struct CublasApi;
struct CudaApi;
struct NcclApi;

/// Plain data; every default suits a library user. Pointers are not owned and must outlive the
/// Runtime.
struct Options {
  std::string device = "cpu";   ///< device that launches run on, in resolve_device's syntax
  std::optional<Isa> isa = {};  ///< instruction set of CPU kernels; default: default_isa()
  int threads = 0;              ///< size of the CPU pool; 0 = all threads that the process may use

  JitMode mode = JitMode::kOn;
  CacheChoice cache{.named = "", .xdg_cache_home = "", .home = ""};  ///< default: memory only
  /// Bound on the disk cache; the least recently used entries are removed first.
  std::uint64_t cache_max_bytes = std::uint64_t{1} << 30;
  std::vector<std::filesystem::path> packs = {};  ///< read-only; searched before the disk cache

  std::string cxx = "";  ///< host compiler; empty: the first of g++, clang++, c++ on search_path
  std::string search_path = "/usr/local/bin:/usr/bin:/bin";
  /// Path or name of the NVRTC library; empty: the newest one found.
  std::string nvrtc = "";
  std::filesystem::path temporary = "/tmp";
  /// Path or name of the CUDA driver library; empty: libcuda.so.1. Opened when first needed.
  std::string cuda_library = "";
  const CudaApi* cuda = nullptr;  ///< overrides cuda_library
  /// Path or name of the cuBLASLt library; empty: the newest one found; "off": none.
  std::string cublas_library = "";
  const CublasApi* cublas = nullptr;  ///< overrides cublas_library
  /// Path or name of the NCCL library; empty: the newest one found; "off": none.
  std::string nccl_library = "";
  const NcclApi* nccl = nullptr;  ///< overrides nccl_library
  /// Whether a training step on a GPU may be captured into CUDA graphs. Off by default: docs/cuda.md
  /// says what has run on hardware.
  bool graphs = false;
  bool tf32 = true;  ///< whether cuBLASLt may round the operands of f32 products to TF32
  /// Compiles texts for an emulated GPU, which the CPU runs with all checks (jit/emulation). Built-in
  /// kernels are not emulated.
  bool emulate = false;
  /// Compiles texts with checks: of every access to memory, of undefined behaviour, and of what they
  /// require (docs/kernels/debugging.md). Many times slower. Built-in kernels are not checked.
  bool check = false;
  TuneMode tune = TuneMode::kLookup;
  /// Parallel compiles of one prepare(); 0 = one per usable thread, at most 8.
  int compile_threads = 0;
  std::chrono::milliseconds compile_timeout{120'000};

  std::filesystem::path kernel_dir = {};  ///< kernel texts here override the embedded ones
  /// If set, every compile writes its texts, options, log and image to a folder below this
  /// directory.
  std::filesystem::path dump_dir = {};

  /// Reads these variables:
  ///   EFLOW_DEVICE      cpu | cuda | cuda:N | auto
  ///   EFLOW_ISA         baseline | avx2 | avx512 | avx512_bf16 | amx
  ///   EFLOW_THREADS     threads of the CPU pool
  ///   EFLOW_JIT         on | forbid | off
  ///   EFLOW_CACHE_DIR   "" disables the disk cache
  ///   EFLOW_CACHE_MAX_MB
  ///   EFLOW_PACKS       paths separated by ':'
  ///   EFLOW_CXX, EFLOW_CUDA_DRIVER, EFLOW_NVRTC
  ///   EFLOW_CUBLASLT, EFLOW_NCCL   a library, or off
  ///   EFLOW_TF32, EFLOW_GRAPHS   on | off
  ///   EFLOW_BACKEND     native | emulated
  ///   EFLOW_CHECK       on | off
  ///   EFLOW_KERNEL_DIR, EFLOW_DUMP_DIR
  ///   EFLOW_TUNE        off | lookup
  /// and PATH, HOME, XDG_CACHE_HOME, TMPDIR. Throws InvalidArgument with the variable, its value
  /// and the allowed values.
  [[nodiscard]] static Options from_environment();
};

}  // namespace eflow::jit

EFLOW_EXPORT_END
