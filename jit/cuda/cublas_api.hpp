#pragma once
// CublasApi: the cuBLASLt functions in use, as a table that is filled from the library at run time.
// The declarations are repeated here so that no CUDA header is needed; tests supply fakes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "eflow/core/base/export.hpp"

EFLOW_EXPORT_BEGIN

namespace eflow::jit {

/// cublasLtMatmulAlgo_t. Its bytes may be stored and reused with the same library version.
struct LtAlgo {
  std::uint64_t data[8] = {};
  friend bool operator==(const LtAlgo&, const LtAlgo&) = default;
};
/// cublasLtMatmulHeuristicResult_t.
struct LtHeuristic {
  LtAlgo algo = {};
  std::size_t workspace = 0;  ///< bytes
  int state = 0;              ///< 0 if usable
  float waves = 0;
  int reserved[4] = {};
};
static_assert(sizeof(LtHeuristic) == 96);

/// Values of cuBLAS enumerators.
namespace lt {
inline constexpr int kNotSupported = 15;
inline constexpr int kF32 = 0, kF64 = 1, kBF16 = 14;  // cudaDataType
inline constexpr int kCompute32 = 68, kCompute64 = 70, kComputeTf32 = 77;
inline constexpr int kTransposed = 1;  // cublasOperation_t
// cublasLtMatmulDescAttributes_t
inline constexpr int kTransposeA = 3, kTransposeB = 4, kEpilogue = 7, kBias = 8, kAux = 11,
                     kAuxLd = 12, kAuxBatchStride = 13;
// cublasLtEpilogue_t; the bias and aux bits can be combined with the others
inline constexpr int kNoEpilogue = 1, kBiasBit = 4, kGelu = 32, kGeluGradient = 64, kAuxBit = 128;
inline constexpr int kBatchCount = 5, kBatchStride = 6;  // cublasLtMatrixLayoutAttribute_t
// cublasLtMatmulPreferenceAttributes_t
inline constexpr int kMaxWorkspace = 1, kReductionSchemes = 3,
                     kAlignmentA = 5;  // B, C and D follow
/// Allowed split-k reductions: all but the in-place one, whose summation order varies between runs.
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
  /// Checks whether an algorithm supports a product and returns its requirements in `result`.
  int (*algo_check)(void* handle, void* desc, void* a, void* b, void* c, void* d,
                    const LtAlgo* algo, LtHeuristic* result) = nullptr;
  int (*algo_attribute)(const LtAlgo* algo, int attribute, void* value, std::size_t bytes,
                        std::size_t* written) = nullptr;
  /// d = epilogue(alpha op(a) op(b) + beta c); alpha and beta are host pointers of the scale type.
  int (*matmul)(void* handle, void* desc, const void* alpha, const void* a, void* a_layout,
                const void* b, void* b_layout, const void* beta, const void* c, void* c_layout,
                void* d, void* d_layout, const LtAlgo* algo, void* workspace,
                std::size_t workspace_bytes, void* stream) = nullptr;
};

/// Opens `library` or, if empty, the newest cuBLASLt found, for the life of the process. Returns
/// nullopt and sets `why` if none is usable.
[[nodiscard]] std::optional<CublasApi> open_cublas(const std::string& library, std::string& why);
/// Returns the table that the options select: an injected one, a library, or none.
[[nodiscard]] std::optional<CublasApi> find_cublas(const CublasApi* given,
                                                   const std::string& library, std::string& why);

}  // namespace eflow::jit

EFLOW_EXPORT_END
