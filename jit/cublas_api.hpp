#pragma once
// The functions of cuBLASLt that we call, as a table, declared here so that no CUDA header is needed. It is filled from the
// library at run time; a test fills it with functions of its own.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace eflow::jit {

struct Options;

/// cublasLtMatmulAlgo_t. Its bytes may be kept and used again, by the same version of the library.
struct LtAlgo {
  std::uint64_t data[8];
  friend bool operator==(const LtAlgo&, const LtAlgo&) = default;
};
/// cublasLtMatmulHeuristicResult_t.
struct LtHeuristic {
  LtAlgo algo;
  std::size_t workspace;  ///< bytes
  int state;              ///< 0: this one can be used
  float waves;
  int reserved[4];
};
static_assert(sizeof(LtHeuristic) == 96);

/// Numbers of cuBLAS's enumerations.
namespace lt {
inline constexpr int kNotSupported = 15;
inline constexpr int kF32 = 0, kF64 = 1, kBF16 = 14;  // cudaDataType
inline constexpr int kCompute32 = 68, kCompute64 = 70, kComputeTf32 = 77;
inline constexpr int kTransposed = 1;  // cublasOperation_t
// cublasLtMatmulDescAttributes_t
inline constexpr int kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBias = 8, kAux = 11,
                     kAuxLd = 12, kAuxBatchStride = 13;
// cublasLtEpilogue_t, of which bias and aux are bits
inline constexpr int kNoEpilogue = 1, kBiasBit = 4, kGelu = 32, kGeluGradient = 64, kAuxBit = 128;
inline constexpr int kBatchCount = 5, kBatchStride = 6;  // cublasLtMatrixLayoutAttribute_t
// cublasLtMatmulPreferenceAttributes_t
inline constexpr int kMaxWorkspace = 1, kReductionSchemes = 3, kAlignmentA = 5;  // and B, C, D
/// All ways to add up parts of k but the one in place, whose order is that of the blocks' ends.
inline constexpr std::uint32_t kFixedOrderReductions = 2 | 4;
// cublasLtMatmulAlgoConfigAttributes_t
inline constexpr int kAlgoId = 0, kAlgoTile = 1, kAlgoSplitK = 2, kAlgoReduction = 3,
                     kAlgoStages = 6;
}  // namespace lt

/// Every function returns cublasStatus_t, 0 for success; descriptors are void*.
struct CublasApi {
  int (*create)(void** handle) = nullptr;
  int (*destroy)(void* handle) = nullptr;
  const char* (*status_string)(int) = nullptr;
  std::size_t (*version)() = nullptr;

  int (*desc_create)(void** desc, int compute, int scale) = nullptr;
  int (*desc_destroy)(void*) = nullptr;
  int (*desc_set)(void*, int attribute, const void* value, std::size_t bytes) = nullptr;
  int (*layout_create)(void** layout, int type, std::uint64_t rows, std::uint64_t columns,
                       std::int64_t ld) = nullptr;
  int (*layout_destroy)(void*) = nullptr;
  int (*layout_set)(void*, int attribute, const void* value, std::size_t bytes) = nullptr;
  int (*preference_create)(void**) = nullptr;
  int (*preference_destroy)(void*) = nullptr;
  int (*preference_set)(void*, int attribute, const void* value, std::size_t bytes) = nullptr;

  int (*heuristic)(void* handle, void* desc, void* a, void* b, void* c, void* d, void* preference,
                   int wanted, LtHeuristic* results, int* found) = nullptr;
  /// Whether an algorithm serves a product; in `result` what it needs.
  int (*algo_check)(void* handle, void* desc, void* a, void* b, void* c, void* d,
                    const LtAlgo* algo, LtHeuristic* result) = nullptr;
  int (*algo_attribute)(const LtAlgo* algo, int attribute, void* value, std::size_t bytes,
                        std::size_t* written) = nullptr;
  /// d = epilogue(alpha op(a) op(b) + beta c); alpha and beta on the host, of the scale type.
  int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout,
                const void* b, void* b_layout, const void* beta, const void* c, void* c_layout,
                void* d, void* d_layout, const LtAlgo* algo, void* workspace,
                std::size_t workspace_bytes, void* stream) = nullptr;
};

/// Opens `library` when it is named, else the newest cuBLASLt there is, for the life of the process. nullopt and why, in
/// plain words.
[[nodiscard]] std::optional<CublasApi> open_cublas(const std::string& library, std::string& why);
/// The one that options name, which may be a table of a test's or none at all.
[[nodiscard]] std::optional<CublasApi> find_cublas(const Options& options, std::string& why);

}  // namespace eflow::jit
