// Matrix products by cuBLASLt. A fake library multiplies as its descriptors say; if the real
// library is installed, it must accept the same descriptors, which needs no GPU.
#define BOOST_TEST_MODULE cublas
#include <boost/test/unit_test.hpp>

#include "eflow/core/tensor/device.hpp"

#if __has_include(<cublasLt.h>) && __has_include(<cuda_runtime_api.h>)
#include <cublasLt.h>
#endif

#include "eflow/core/cuda/cublas_gemm.hpp"
#include "eflow/core/tensor/ops.hpp"
#include "eflow/tests/kernels_src/gemm_problem.hpp"
#include "eflow/tests/support/cuda/fake_cublas.hpp"
#include "eflow/tests/support/cuda/recording_driver.hpp"

using namespace eflow;
using detail::CublasGemm;
using detail::lt_problem;
using test::Case;
using test::FakeCublas;
using test::RecordingDriver;

#if defined(CUBLASLT_H_)
namespace lt = jit::lt;
static_assert(sizeof(jit::LtHeuristic) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(lt::kF32 == CUDA_R_32F && lt::kF64 == CUDA_R_64F && lt::kBF16 == CUDA_R_16BF);
static_assert(lt::kCompute32 == CUBLAS_COMPUTE_32F && lt::kCompute64 == CUBLAS_COMPUTE_64F);
static_assert(lt::kComputeTf32 == CUBLAS_COMPUTE_32F_FAST_TF32 && lt::kTransposed == CUBLAS_OP_T);
static_assert(lt::kTransposeA == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(lt::kTransposeB == CUBLASLT_MATMUL_DESC_TRANSB);
static_assert(lt::kEpilogue == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(lt::kBias == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(lt::kAux == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER);
static_assert(lt::kAuxLd == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD);
static_assert(lt::kAuxBatchStride == CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_BATCH_STRIDE);
static_assert(lt::kNoEpilogue == CUBLASLT_EPILOGUE_DEFAULT);
static_assert(lt::kBiasBit == CUBLASLT_EPILOGUE_BIAS && lt::kGelu == CUBLASLT_EPILOGUE_GELU);
static_assert((lt::kGelu | lt::kBiasBit | lt::kAuxBit) == CUBLASLT_EPILOGUE_GELU_AUX_BIAS);
static_assert((lt::kGeluGradient | lt::kAuxBit) == CUBLASLT_EPILOGUE_DGELU);
static_assert(lt::kBatchCount == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT);
static_assert(lt::kBatchStride == CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET);
static_assert(lt::kMaxWorkspace == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(lt::kReductionSchemes == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(lt::kAlignmentA == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(lt::kFixedOrderReductions ==
              (CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE));
static_assert(sizeof(jit::LtAlgo) == sizeof(cublasLtMatmulAlgo_t));
static_assert(lt::kAlgoId == CUBLASLT_ALGO_CONFIG_ID &&
              lt::kAlgoTile == CUBLASLT_ALGO_CONFIG_TILE_ID);
static_assert(lt::kAlgoSplitK == CUBLASLT_ALGO_CONFIG_SPLITK_NUM);
static_assert(lt::kAlgoReduction == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
static_assert(lt::kAlgoStages == CUBLASLT_ALGO_CONFIG_STAGES_ID);
static_assert(lt::kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
#endif

namespace {

struct Session {
  RecordingDriver driver;
  FakeCublas cublas;
  jit::CudaApi cuda_api = RecordingDriver::api();
  jit::CublasApi cublas_api = FakeCublas::api();

  std::shared_ptr<const jit::CudaContext> context =
      std::make_shared<const jit::CudaContext>(cuda_api, 0);
  [[nodiscard]] CublasGemm gemm() { return {context, cublas_api, true, this}; }

  DevicePtr device() {
    jit::Options options;
    options.cache.named = "";
    options.cuda = &cuda_api;
    options.cublas = &cublas_api;
    options.device = "cuda";
    return make_device(options);
  }
};

/// Returns whether the library took the product, and checks the result if so.
template <class T, class O>
bool serves(CublasGemm& gemm, const Case& c) {
  bool served = false;
  const std::string fault = test::gemm_fault<T, O>(
      c, [&](const args::Gemm& g) { served = gemm.run(g, dtype_of<T>(), dtype_of<O>(), nullptr); });
  if (served) BOOST_TEST(fault.empty(), fault);
  return served;
}

const Case kPlain{.m = 40, .n = 24, .k = 16};

std::vector<Case> served_cases() {
  return {kPlain,
          {.m = 1, .n = 1, .k = 1},
          {.m = 1, .n = 7, .k = 5},
          {.m = 7, .n = 1, .k = 5},
          {.m = 7, .n = 5, .k = 1},
          {.m = 9, .n = 5, .k = 7, .b_transposed = true, .bias = true},
          {.m = 9, .n = 5, .k = 7, .a_transposed = true},
          {.m = 9, .n = 5, .k = 7, .a_transposed = true, .b_transposed = true, .gap = 3},
          {.m = 6, .n = 8, .k = 5, .bias = true, .gelu = true, .alpha = 0.5},
          {.m = 6, .n = 8, .k = 5, .gelu_gradient = true},
          {.m = 6, .n = 8, .k = 5, .gelu_gradient = true, .batch0 = 2, .batch1 = 3},
          {.m = 6, .n = 8, .k = 5, .residual = true, .alpha = -2, .gap = 2},
          {.m = 6, .n = 8, .k = 5, .bias = true, .beta = 0.25},
          {.m = 6, .n = 4, .k = 5, .beta = 1, .batch0 = 2, .batch1 = 3, .heads = true},
          {.m = 6, .n = 8, .k = 5, .bias = true, .gelu = true, .batch0 = 2, .batch1 = 3},
          {.m = 6, .n = 4, .k = 5, .residual = true, .batch0 = 3, .b_shared = true}};
}

}  // namespace

BOOST_AUTO_TEST_CASE(products_are_those_of_the_definition) {
  Session s;
  CublasGemm gemm = s.gemm();
  for (const Case& c : served_cases()) {
    BOOST_TEST((serves<float, float>(gemm, c)), c);
    BOOST_TEST((serves<double, double>(gemm, c)), c);
    BOOST_TEST((serves<bfloat16, bfloat16>(gemm, c)), c);
    BOOST_TEST((serves<bfloat16, float>(gemm, c)) == !(c.gelu || c.gelu_gradient), c);
  }
}

BOOST_AUTO_TEST_CASE(what_it_does_not_have_is_left_to_others) {
  Session s;
  CublasGemm gemm = s.gemm();
  for (const Case& c : {Case{.m = 4, .n = 8, .k = 0}, Case{.m = 4, .n = 5, .k = 3, .gelu = true},
                        Case{.m = 4, .n = 8, .k = 3, .bias = true, .gelu_gradient = true},
                        Case{.m = 4, .n = 8, .k = 3, .gelu = true, .residual = true},
                        Case{.m = 4, .n = 8, .k = 3, .residual = true, .beta = 1},
                        Case{.m = 4, .n = 8, .k = 3, .batch0 = 65, .batch1 = 66}})
    BOOST_TEST(!(serves<float, float>(gemm, c)), c);
  BOOST_TEST(s.cublas.products == 0);
  // Not supported: strides along both axes, and overlapping rows.
  test::Problem<float, float> p(kPlain);
  for (const auto& [rows, columns] : {std::pair{64, 2}, {0, 1}, {-16, 1}}) {
    args::Gemm g = p.g;
    g.a_rs = rows;
    g.a_cs = columns;
    BOOST_TEST(!lt_problem(g, DType::kF32, DType::kF32, 0, true), rows << ", " << columns);
  }
  s.cublas.serves = false;
  // One query per problem; the alignment of its addresses is a part of it.
  for (int i = 0; i < 2; ++i) BOOST_TEST(!gemm.run(p.g, DType::kF32, DType::kF32, nullptr));
  BOOST_TEST(s.cublas.heuristics == 1);
}

BOOST_AUTO_TEST_CASE(a_problem_is_planned_once) {
  Session s;
  {
    CublasGemm gemm = s.gemm();
    for (int i = 0; i < 3; ++i) BOOST_TEST((serves<float, float>(gemm, kPlain)));
    BOOST_TEST(s.cublas.heuristics == 1);
    BOOST_TEST(s.cublas.products == 3);
    // With two batch dimensions, heads are issued one by one.
    const int before = s.cublas.products;
    BOOST_TEST((serves<float, float>(
        gemm, {.m = 6, .n = 16, .k = 16, .batch0 = 2, .batch1 = 3, .heads = true})));
    BOOST_TEST(s.cublas.products == before + 2);
  }
  BOOST_TEST(s.cublas.objects == 0);
  BOOST_TEST(s.cublas.handles == 0);
}

BOOST_AUTO_TEST_CASE(sums_have_a_fixed_order_and_their_precision_is_told) {
  Session s;
  CublasGemm gemm = s.gemm();
  BOOST_TEST((serves<float, float>(gemm, kPlain)));
  BOOST_TEST(s.cublas.last_preference.get<std::uint32_t>(jit::lt::kReductionSchemes) ==
             jit::lt::kFixedOrderReductions);
  BOOST_TEST(s.cublas.last_preference.get<std::size_t>(jit::lt::kMaxWorkspace) ==
             CublasGemm::kWorkspaceBytes);
  for (int i = 0; i < 4; ++i)
    BOOST_TEST(s.cublas.last_preference.get<std::uint32_t>(jit::lt::kAlignmentA + i) >= 4u);
  BOOST_TEST(s.cublas.last_desc.type == jit::lt::kComputeTf32);
  BOOST_TEST((serves<bfloat16, bfloat16>(gemm, kPlain)));
  BOOST_TEST(s.cublas.last_desc.type == jit::lt::kCompute32);
  CublasGemm exact{s.context, s.cublas_api, false, &s};
  BOOST_TEST((serves<float, float>(exact, kPlain)));
  BOOST_TEST(s.cublas.last_desc.type == jit::lt::kCompute32);
}

BOOST_AUTO_TEST_CASE(failures_name_call_and_product) {
  Session s;
  CublasGemm gemm = s.gemm();
  s.cublas.failing["cublasLtMatmul"] = 13;
  test::Problem<float, float> p(kPlain);
  try {
    (void)gemm.run(p.g, DType::kF32, DType::kF32, nullptr);
    BOOST_ERROR("it did not fail");
  } catch (const DeviceError& e) {
    const std::string text = e.what();
    for (const char* part : {"cublasLtMatmul", "[40, 16] and [16, 24]", "13", "Recorded GPU"})
      BOOST_TEST(text.find(part) != std::string::npos, text);
  }
}

BOOST_AUTO_TEST_CASE(ops_multiply_by_it_on_the_stream_of_the_device) {
  Session s;
  const DevicePtr device = s.device();
  const std::vector<float> values{1, 2, 3, 4, 5, 6};
  const Tensor x = Tensor::from(values, {2, 3}, device), w = Tensor::from(values, {2, 3}, device);
  const Tensor y = linear(x, w);
  BOOST_TEST((y.to_vector<float>() == std::vector<float>{14, 32, 32, 77}));
  BOOST_TEST(s.cublas.products == 1);
  BOOST_TEST(s.cublas.last_stream != nullptr);
  BOOST_TEST(s.driver.launches.empty());
}

BOOST_AUTO_TEST_CASE(a_device_without_it_says_so_and_goes_on) {
  Session s;
  s.cublas.failing["cublasLtCreate"] = 1;
  const DevicePtr device = s.device();
  BOOST_TEST(device->memory().in_use == 0u);  // the workspace is released
  test::Problem<float, float> p(kPlain);
  BOOST_TEST(!device->multiply(p.g, DType::kF32, DType::kF32, {}));
}

BOOST_AUTO_TEST_CASE(the_real_library_takes_our_descriptors) {
  std::string why;
  const auto real = jit::open_cublas("", why);
  if (!real) {
    BOOST_TEST_MESSAGE("skipped: " << why);
    return;
  }
  Session s;
  // The real library, except for functions that need a GPU.
  jit::CublasApi mixed = *real;
  mixed.create = s.cublas_api.create;
  mixed.destroy = s.cublas_api.destroy;
  mixed.heuristic = [](void*, void*, void*, void*, void*, void*, void*, int, jit::LtHeuristic*,
                       int* found) { return *found = 1, 0; };
  mixed.matmul = [](void*, void*, const void*, const void*, void*, const void*, void*, const void*,
                    const void*, void*, void*, void*, const jit::LtAlgo*, void*, std::size_t,
                    void*) { return 0; };
  CublasGemm gemm{s.context, mixed, true, &s};
  for (const Case& c : served_cases()) {
    test::Problem<float, float> p(c);
    BOOST_TEST(gemm.run(p.g, DType::kF32, DType::kF32, nullptr), c);
  }
}
